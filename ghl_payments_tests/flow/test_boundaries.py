"""Where one installation ends: no system, another account's warehouse, one location's own trouble, two runs at once."""

from __future__ import annotations

import json
from typing import Any

from ghl_payments_tests.flow.conftest import LoopFactory
from ghl_payments_tests.flow.loop import settled, wait_until
from ghl_payments_tests.flow.shop import NATIVE, charge, order, shop


def test_without_a_system_the_command_says_which_one_and_how_to_start_the_sandbox(loop: LoopFactory) -> None:
    nobody = loop(state=shop(1))

    def closed(document: dict[str, Any]) -> None:
        for connection in document["connections"].values():
            connection["base_url"] = f"http://127.0.0.1:9/{connection['system']}"

    nobody.edit_connections(closed)
    done = nobody.command("run", "--json")
    assert done.returncode == 2
    said = json.dumps(json.loads(done.stdout)["failures"])
    assert "No connection to 127.0.0.1:9" in said
    assert "ghl-payments sandbox" in said
    assert "Traceback" not in done.stderr
    assert "Traceback" not in said


def test_a_warehouse_of_another_account_is_refused_and_left_alone(loop: LoopFactory) -> None:
    mine, other = loop(state=shop(1)), loop(state=shop(2))
    assert mine.command("release", "--connection", "halo").returncode == 0
    before = mine.sql("select * from ops.sources order by all")
    for name in ("HOME", "WAREHOUSE", "REPORTS"):
        other.env[f"GHL_PAYMENTS_{name}"] = mine.env[f"GHL_PAYMENTS_{name}"]
    done = other.command("run")
    assert done.returncode == 2
    said = done.stdout + done.stderr
    assert "holds data of" in said
    assert "GHL_PAYMENTS_HOME" in said
    assert other.sandbox.effects() == []
    assert other.sandbox.requests() == []
    assert mine.sql("select * from ops.sources order by all") == before


def test_a_location_with_a_wrong_token_fails_alone(loop: LoopFactory) -> None:
    world = loop(seed=5, orders=60)
    good, bad = world.locations
    right = world.env["GHL_TOKEN_2"]
    world.env["GHL_TOKEN_2"] = world.env["GHL_TOKEN_1"]
    result = world.turn()
    assert set(result.failures) == {bad}
    assert "Forbidden" in result.failures[bad][0]
    key = [row for row in world.answer_key() if row["location_id"] == good]
    found = {(row["key"], row["kind"], row["class"]) for row in world.diffs()}
    assert found == {(row["key"], row["kind"], row["class"]) for row in key}
    assert {row["location_id"] for row in world.changes()} == {good}
    assert world.states().keys() == {"verified"}
    assert world.open_pushable() == 0

    world.env["GHL_TOKEN_2"] = "pit-of-nobody"
    said = "".join(world.turn(bad).failures[bad])
    assert "Unauthorised" in said
    assert right not in said
    assert "pit-of-nobody" not in said


def test_one_id_in_two_locations_makes_two_records_that_never_meet(loop: LoopFactory) -> None:
    state = shop(1)
    state["ghl"]["locations"].append({"orders": [order(1, status="pending")], "transactions": [charge(1)]})
    both = loop(state=state)
    both.sandbox.fault("lost_reply", system="halo", method="POST", path="/api/(SalesOrder|InvoicePayment)", times=4)
    both.good_turn()
    settled(both)
    assert both.states() == {"verified": 10}
    halo = both.sandbox.state()["halo"]
    for table in ("Client", "Users", "SalesOrder", "Invoice", "InvoicePayment"):
        assert len(halo[table]) == 1 + 2
    ours = [doc for doc in halo["SalesOrder"] if doc["po_number"] == "ghl:order:order1"]
    statuses = {field["value"] for doc in ours for field in doc["customfields"] if field["name"] == "CFGHLStatus"}
    assert statuses == {"completed", "pending"}
    clients = {doc["client_id"] for doc in halo["InvoicePayment"] if doc["id"] != NATIVE}
    assert len(clients) == 2


def test_two_runs_at_once_wait_for_each_other_and_write_everything_once(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop(1, 2))
    with shop_loop.process("run", "--json") as one, shop_loop.process("run", "--json") as other:
        said = [process.communicate(timeout=120) for process in (one, other)]
        assert {one.returncode, other.returncode} <= {0, 1}, said
    for out, err in said:
        assert out, err
        assert json.loads(out)["failures"] == {}
        assert "Could not set lock" not in err
    settled(shop_loop)
    assert shop_loop.states() == {"verified": 10}


def test_a_reading_that_is_older_than_another_runs_writes_does_not_write_them_again(loop: LoopFactory) -> None:
    shop_loop = loop(state=shop(1))
    slow = shop_loop.sandbox.fault(
        "latency", seconds=12, when="after", system="halo", method="GET", path="/api/Client", times=1
    )
    with shop_loop.process("run", "--json") as process:
        wait_until(lambda: shop_loop.sandbox.control("GET", "/faults")[0]["struck"] == slow["struck"] + 1)
        shop_loop.good_turn()
        said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    settled(shop_loop)
    assert shop_loop.states() == {"verified": 5}
    assert shop_loop.diffs(state="open") == []
