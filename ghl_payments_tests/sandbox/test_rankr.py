"""The sandbox's receiver of events: what it verifies, what it knows already, what it keeps, and how it can be read."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from standardwebhooks import Webhook

from ghl_payments.domain.sandbox_identity import DEFAULT_NOW, rankr_target, sandbox_identity
from ghl_payments.sandbox.clock import SandboxClock
from ghl_payments.sandbox.codec import decode, encode
from ghl_payments.sandbox.journal import History
from ghl_payments.sandbox.limits import Rate
from ghl_payments.sandbox.rankr import RankrSandbox, RankrSwitches
from ghl_payments.sandbox.vendor import Setting
from ghl_payments.sandbox.vendors import vendor_modules
from ghl_payments.sandbox.wire import Answer, Request
from ghl_payments.sandbox.world import generate

WHO = sandbox_identity(7)
SECRETS = {role: value for role, (_, value) in rankr_target(WHO).secrets.items()}


class Receiver:
    """The sandbox's receiver without HTTP around it, and a sender that knows its secrets."""

    def __init__(self) -> None:
        self.switches = RankrSwitches()
        setting = Setting(WHO, Rate(1000, 1), self.switches, SandboxClock(DEFAULT_NOW))
        self.sandbox = RankrSandbox(setting, SECRETS, SECRETS["read_token"])
        self.effects: list[str] = []
        self.use({})

    def use(self, part: dict[str, Any]) -> None:
        self.history = History()
        self.sandbox.use(self.sandbox.load(part), self.history, lambda *told: self.effects.append(told[3]))

    def tell(self, event_id: str, version: str = "2026-01-02T00:00:00.000Z", *, role: str = "secret", ago: int = 0,
             tamper: bool = False, **data: Any) -> Answer:  # fmt: skip
        said = {"entity": "order", "key": "ghl:order:o1", "version": version, "amount": "1.00", **data}
        body = encode({"type": "payment.order.updated", "data": said})
        at = datetime.fromtimestamp(int(time.time()) - ago, UTC)
        headers = {
            "webhook-id": event_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(SECRETS[role]).sign(event_id, at, body.decode()),
        }
        return self.ask("POST", "events", body=body + b" " if tamper else body, headers=headers)

    def ask(
        self, method: str, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None, **query: str
    ) -> Answer:
        given = headers if headers is not None else {"x-api-key": SECRETS["read_token"]}
        request = Request("rankr", method, f"/{path}", query, "", given, body, "http://localhost")
        return self.sandbox.handle(request)

    def rows(self) -> list[dict[str, Any]]:
        document: list[dict[str, Any]] = decode(self.sandbox.dump())["records"]
        return document


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


def test_an_event_signed_by_the_library_becomes_a_row(receiver: Receiver) -> None:
    assert receiver.tell("msg_1", locationId="LocationOne", contentHash="sha256:1").status == 202
    [row] = receiver.rows()
    assert (row["id"], row["externalId"], row["amount"], row["contentHash"]) == (
        "rec-000001",
        "ghl:order:o1",
        "1.00",
        "sha256:1",
    )
    assert receiver.effects == ["ghl:order:o1#rec-000001"]


def test_what_is_tampered_with_late_or_signed_by_nobody_known_is_refused(receiver: Receiver) -> None:
    assert receiver.tell("msg_1", tamper=True).status == 401
    assert receiver.tell("msg_1", ago=301).status == 401
    assert receiver.tell("msg_1", ago=-305).status == 401
    receiver.switches.rankr_secrets = "current"
    assert receiver.tell("msg_1", role="previous_secret").status == 401
    receiver.switches.rankr_secrets = "both"
    assert receiver.tell("msg_1", role="previous_secret").status == 202
    assert receiver.ask("POST", "events", body=b"{}", headers={}).status == 400
    assert len(receiver.rows()) == 1


def test_a_clock_that_is_off_refuses_what_is_in_time(receiver: Receiver) -> None:
    receiver.switches.rankr_clock_seconds = 400
    assert receiver.tell("msg_1").status == 401


def test_an_event_that_is_known_already_has_no_effect(receiver: Receiver) -> None:
    receiver.tell("msg_1")
    assert receiver.tell("msg_1", amount="2.00").status == 200
    assert (receiver.rows()[0]["amount"], len(receiver.effects)) == ("1.00", 1)


def test_an_older_version_is_ignored_and_one_of_the_same_time_is_taken(receiver: Receiver) -> None:
    receiver.tell("msg_1", "2026-01-02T00:00:00.000Z", amount="2.00")
    assert receiver.tell("msg_2", "2026-01-01T00:00:00.000Z", amount="1.00").status == 200
    assert receiver.rows()[0]["amount"] == "2.00"
    receiver.tell("msg_3", "2026-01-02T00:00:00.000Z", amount="3.00")
    assert [row["amount"] for row in receiver.rows()] == ["3.00"]


@pytest.mark.parametrize(("takes", "rows"), [("rows", 1), ("nothing", 0), ("twice", 2)])
def test_an_accepted_event_may_be_dropped_or_kept_twice(receiver: Receiver, takes: str, rows: int) -> None:
    receiver.switches.rankr_takes = takes  # type: ignore[assignment]
    assert receiver.tell("msg_1").status == 202
    assert len(receiver.rows()) == len(receiver.effects) == rows


def test_a_receiver_may_be_gone_or_redirect(receiver: Receiver) -> None:
    receiver.switches.rankr_redirects = True
    assert receiver.tell("msg_1").status == 302
    receiver.switches.rankr_gone = True
    assert receiver.tell("msg_1").status == 410
    assert receiver.rows() == []


def test_reads_need_the_key_and_show_one_row_or_pages_of_all(receiver: Receiver) -> None:
    for n in range(5):
        receiver.tell(f"msg_{n}", f"2026-01-0{n + 1}T00:00:00.000Z", key=f"ghl:order:o{n}")
    assert receiver.ask("GET", "records", headers={}).status == 401
    assert decode(receiver.ask("GET", "records/ghl:order:o3").body)["externalId"] == "ghl:order:o3"
    assert receiver.ask("GET", "records/ghl:order:o9").status == 404
    cursor, seen = "", []
    while cursor is not None:
        page = decode(receiver.ask("GET", "records", limit="2", cursor=cursor).body)
        seen += [row["externalId"] for row in page["data"]]
        assert page["total"] == 5
        cursor = page["next_cursor"]
    assert seen == [f"ghl:order:o{n}" for n in range(5)]
    late = decode(receiver.ask("GET", "records", updated_since="2026-01-04T00:00:00Z").body)
    assert [row["externalId"] for row in late["data"]] == ["ghl:order:o3", "ghl:order:o4"]
    assert receiver.ask("GET", "records", limit="0").status == 400
    assert receiver.ask("GET", "records", updated_since="soon").status == 400


def test_its_state_can_be_dumped_loaded_and_undone(receiver: Receiver) -> None:
    receiver.tell("msg_1")
    state = receiver.sandbox.dump()
    receiver.history.undo_all()
    assert decode(receiver.sandbox.dump()) == {"records": [], "events": []}
    receiver.use(decode(state))
    assert receiver.sandbox.dump() == state
    assert receiver.tell("msg_1").status == 200
    receiver.tell("msg_2", key="ghl:order:o2")
    assert receiver.rows()[1]["id"] == "rec-000002"


def test_every_switch_bears_the_systems_name() -> None:
    assert all(name.startswith("rankr_") for name in RankrSwitches.__struct_fields__)


@pytest.fixture(scope="module")
def world() -> Any:
    return generate(2, 100, DEFAULT_NOW)


def test_a_seeded_receiver_has_each_way_to_go_astray(world: Any) -> None:
    rows = [row for row in world.answer_key if row["system"] == "rankr"]
    found = {(row["kind"], row["class"]) for row in rows}
    assert found >= {
        ("missing_in_target", None), ("missing_in_source", None), ("duplicate_in_target", None), ("unverifiable", None),
        ("field_differs", "amount"), ("field_differs", "status"), ("field_differs", "other"),
        ("field_differs", "currency"), ("not_representable", None),
    }  # fmt: skip
    assert {row["record_type"] for row in rows} >= {"order", "transaction", "fulfillment"}
    kinds = {
        str(row["externalId"]).split(":")[1] for row in world.state["rankr"]["records"] if ":" in row["externalId"]
    }
    assert kinds == {"order", "txn", "sub", "fulfillment"}


def test_without_defects_a_receiver_agrees_with_everything() -> None:
    quiet = generate(2, 40, DEFAULT_NOW, defects=False)
    rows = [row for row in quiet.answer_key if row["system"] == "rankr"]
    assert {row["kind"] for row in rows} <= {"not_representable", "pending"}


def test_the_receiver_is_found_and_its_options_fit_the_connector() -> None:
    from ghl_payments.connectors.webhook.options import Options

    module = vendor_modules()["rankr"]
    assert module.is_target
    assert Options.model_validate(module.connection(WHO)["options"]).level == "list"
    assert msgspec.to_builtins(module.switches()) == msgspec.to_builtins(RankrSwitches())
