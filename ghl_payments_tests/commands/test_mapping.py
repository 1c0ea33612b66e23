"""`ghl-payments mapping`: checks, previews and pages as a person gets them, with their exit codes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ghl_payments.cli import main
from ghl_payments.commands.mapping_docs import MACROS, PATH, page
from ghl_payments.connectors.registry import target_systems
from ghl_payments.domain.mapping_files import effective_mapping
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.publish import publish
from ghl_payments.warehouse.queries import sql
from ghl_payments_tests.connectors.test_mappings import CONNECTIONS, OWN
from ghl_payments_tests.sandbox.oracle_states import LOCATION
from ghl_payments_tests.warehouse.desk import Desk
from ghl_payments_tests.warehouse.gallery import Purchase, hang

EXAMPLE = re.findall(r"```yaml\n(.*?)```", PATH.read_text(encoding="utf-8"), flags=re.DOTALL)[0]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a connections.yaml for one location, and nothing of this process's settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("GHL_PAYMENTS_CONNECTIONS", "GHL_PAYMENTS_HOME", "GHL_PAYMENTS_REPORTS"):
        monkeypatch.delenv(name, raising=False)
    text = CONNECTIONS.replace("LOC1", LOCATION).replace("own/halo.yaml", "own.yaml")
    (tmp_path / "connections.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "own.yaml").write_text(OWN, encoding="utf-8")
    return tmp_path


@pytest.fixture
def after_a_run(place: Path) -> Path:
    """The same with a published copy: purchase 1 agrees, purchase 2 has another total and was paid by Ada."""
    with Warehouse(place / ".ghl_payments" / "ghl_payments.duckdb").open() as con:
        agreed, other = Purchase(1), Purchase(2)
        other.sales_order["total"] = 7
        for document in (other.order, other.txn):
            document["contactSnapshot"] = {"firstName": "Ada", "email": "ada@example.com"}
        desk = Desk(place, con)
        hang(desk, [agreed, other])
        desk.judge()
    home = place / ".ghl_payments"
    publish(Warehouse(home / "ghl_payments.duckdb"), home / "ghl_payments_reports.duckdb")
    return place


def said(*words: str) -> Result:
    return CliRunner().invoke(main, ["mapping", *words])


def test_check_looks_at_every_shipped_mapping_and_at_every_override(place: Path) -> None:
    done = said("check")
    assert done.exit_code == 0, done.output
    assert all(f"{system}/mapping.yaml" in done.output for system in target_systems())
    assert "own.yaml" in done.output


def test_check_names_each_problem_with_file_line_field_and_nearest_name(place: Path) -> None:
    (place / "own.yaml").write_text(OWN.replace("date", "dtae"), encoding="utf-8")
    done = said("check", "--system", "halo")
    assert done.exit_code == 1
    [line] = done.stdout.splitlines()
    assert line.endswith("own.yaml:5: sales_order.dtae: no such field, and a new one needs `desired`; nearest: date")
    done = said("check", "--json")
    report = json.loads(done.stdout)
    assert (done.exit_code, report["ok"]) == (1, False)
    assert [(p["line"], p["where"], p["nearest"]) for p in report["problems"]] == [(5, "sales_order.dtae", "date")]


def test_check_of_one_file_knows_an_override_and_a_whole_mapping(place: Path) -> None:
    assert said("check", "--file", "own.yaml").exit_code == 0
    whole = place / "mapping.yaml"
    shutil.copyfile(target_systems()["halo"].mapping_source.shipped, whole)
    assert said("check", "--file", "mapping.yaml").exit_code == 0
    text = whole.read_text(encoding="utf-8")
    whole.write_text(text.replace("desired: amount_plain", "desired: amount_plan"), encoding="utf-8")
    done = said("check", "--file", "mapping.yaml")
    assert done.exit_code == 1
    assert (
        "sales_order.amount_text: desired: canonical_orders has no column 'amount_plan'; nearest: amount_plain"
        in done.output
    )


@pytest.mark.parametrize(("words", "what"), [
    (("check", "--file", "nowhere.yaml"), "nowhere.yaml does not exist"),
    (("check", "--system", "hallo"), "no target system 'hallo'; there are"),
    (("check", "--system", "hallo"), "nearest: halo"),
    (("preview", "--system", "hallo", "--key", "ghl:order:o1"), "nearest: halo"),
    (("preview", "--system", "halo", "--key", "ghl:order:o1"), "`ghl-payments run` makes it"),
    (("preview", "--system", "halo", "--key", "ghl:order:o1", "--location", "LOC9"), "no location 'LOC9'"),
    (("docs", "--system", "hallo"), "nearest: halo"),
])  # fmt: skip
def test_what_cannot_be_told_is_one_line_and_exit_code_2(place: Path, words: tuple[str, ...], what: str) -> None:
    done = said(*words)
    assert done.exit_code == 2
    assert what in done.output
    assert len(done.output.splitlines()) == 1


def test_a_file_for_no_system_says_so(place: Path) -> None:
    (place / "own.yaml").write_text(OWN.replace("halo", "hallo"), encoding="utf-8")
    done = said("check", "--file", "own.yaml")
    assert (done.exit_code, "own.yaml: `system`: no target system 'hallo'" in done.output) == (2, True)
    (place / "own.yaml").write_text("system: [", encoding="utf-8")
    done = said("check", "--file", "own.yaml")
    assert (done.exit_code, "own.yaml:1: not readable as YAML" in done.output) == (2, True)


def test_preview_answers_0_when_equal_and_1_when_not(after_a_run: Path) -> None:
    equal = said("preview", "--system", "halo", "--key", "ghl:order:o1")
    assert equal.exit_code == 0, equal.output
    assert "halo sales_order ghl:order:o1: equal" in equal.output
    other = said("preview", "--system", "halo", "--key", "ghl:order:o2")
    assert other.exit_code == 1
    assert "halo sales_order ghl:order:o2: differs (field_differs: total)" in other.output
    assert re.search(r"total +amount +minor +never +10050 +700 +DIFFERS", other.output)
    assert re.search(r"amount_minor +10050", other.output)


def test_preview_answers_2_for_a_key_that_nobody_knows_and_names_the_nearest(after_a_run: Path) -> None:
    for key, near in (("ghl:order:o3", "ghl:order:o1, ghl:order:o2"), ("o2", "ghl:order:o2")):
        done = said("preview", "--system", "halo", "--key", key)
        assert done.exit_code == 2
        assert f"no record of halo has the key {key!r}" in done.output
        assert f"nearest: {near}" in done.output
    done = said("preview", "--system", "halo", "--key", "?")
    assert (done.exit_code, "keys look like ghl:order:ID" in done.output) == (2, True)


def test_preview_as_json_has_both_sides_and_masks_who_it_is_about(after_a_run: Path) -> None:
    words = ("preview", "--system", "halo", "--key", "ghl:contact:c2", "--json")
    done = said(*words)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    user = next(record for record in report["records"] if record["record_type"] == "user")
    assert (user["location_id"], user["connection"], user["native_ids"]) == (LOCATION, "halo", ["22"])
    assert next(field for field in user["fields"] if field["field"] == "email")["desired"] == "***"
    assert "Ada" not in done.output
    assert "ada@" not in done.output
    assert "ada@example.com" in said(*words, "--show-personal").output


def test_preview_goes_by_the_override_as_it_stands_now(after_a_run: Path) -> None:
    own = "system: halo\nrecord_types:\n  sales_order:\n    fields:\n      total: {compare: never}\n"
    (after_a_run / "own.yaml").write_text(own, encoding="utf-8")
    assert said("preview", "--system", "halo", "--key", "ghl:order:o2").exit_code == 0
    (after_a_run / "own.yaml").write_text(own.replace("total", "totl"), encoding="utf-8")
    done = said("preview", "--system", "halo", "--key", "ghl:order:o2")
    assert (done.exit_code, "nearest: total" in done.output) == (2, True)


def test_the_page_about_mappings_is_what_the_command_prints() -> None:
    assert PATH.read_text(encoding="utf-8") == page(), "ghl-payments mapping docs --write"
    done = said("docs", "--system", "halo")
    assert done.exit_code == 0
    assert "## The shipped mapping of halo" in done.output
    assert done.output.count("## The shipped mapping") == 1


def test_the_example_of_the_page_is_fine_and_does_what_it_says(place: Path) -> None:
    (place / "my-halo.yaml").write_text(EXAMPLE, encoding="utf-8")
    assert said("check", "--file", "my-halo.yaml").output == "fine: my-halo.yaml\n"
    shipped = target_systems()["halo"].mapping.record_types["sales_order"].fields
    fields = effective_mapping(target_systems()["halo"].mapping_source.shipped, place / "my-halo.yaml")
    order = fields.record_types["sales_order"].fields
    assert (order["ship_status"].compare, order["ship_status"].write) == ("never", "never")
    assert order["date"].tolerance == 60
    assert order["shop"].write == "never"
    assert {name for name in shipped if order[name] != shipped[name]} == {"ship_status", "date"}


def test_the_example_of_the_page_finds_what_it_is_about(after_a_run: Path) -> None:
    (after_a_run / "own.yaml").write_text(EXAMPLE, encoding="utf-8")
    records = json.loads(said("preview", "--system", "halo", "--key", "ghl:order:o1", "--json").stdout)["records"]
    order = next(record for record in records if record["record_type"] == "sales_order")
    fields = {field["field"]: field["verdict"] for field in order["fields"]}
    assert (fields["shop"], fields["ship_status"]) == ("equal", "not compared")


def test_functions_on_the_page_are_those_that_there_are() -> None:
    for name in MACROS:
        macro, arguments = name.removesuffix(")").split("(")
        found = re.search(rf"create or replace temp macro {macro}\(([^)]*)\)", sql("macros"))
        assert found, name
        assert len(found.group(1).split(",")) == len(arguments.split(",")), name


def test_without_anything_to_do_schema_says_that_the_files_are_current() -> None:
    done = said("schema")
    assert (done.exit_code, done.output) == (0, "current\n"), "ghl-payments mapping schema --write"


def test_check_of_the_whole_installation_looks_at_mappings_too(place: Path) -> None:
    from ghl_payments.commands.check import _mappings
    from ghl_payments.settings import load_settings

    fine = _mappings(load_settings({}))
    assert (fine.state, fine.detail) == ("ok", "halo own.yaml")
    (place / "own.yaml").write_text(OWN.replace("date", "dtae"), encoding="utf-8")
    wrong = _mappings(load_settings({}))
    assert (wrong.state, "own.yaml:5: sales_order.dtae" in wrong.detail) == ("failed", True)
    assert "ghl-payments mapping check" in (wrong.remedy or "")
