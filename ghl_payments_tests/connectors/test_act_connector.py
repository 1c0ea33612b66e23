"""Act! read, searched and written through the sandbox, in both forms and with every behaviour its contract leaves open."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ghl_payments.connectors.base import DesiredRecord, ReadCertificate, WriteAnswer
from ghl_payments.transport import errors
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.act_support import (
    AT,
    OWNER,
    PLACE,
    contact,
    document,
    order,
    payment,
    probe,
    subscription,
    with_act,
)
from ghl_payments_tests.connectors.support import landed
from ghl_payments_tests.running_sandbox import RunningSandbox

FALLBACK = {"act_custom_tables": False}
MADE: dict[str, Callable[..., DesiredRecord]] = {
    "contact": contact,
    "opportunity": order,
    "payment": payment,
    "subscription": subscription,
}


@pytest.fixture
def act(sandbox: SandboxFactory) -> RunningSandbox:
    running = sandbox()
    put(running, contacts=[dict(OWNER)])
    return running


def put(running: RunningSandbox, **part: Any) -> None:
    state = running.state()
    state["act"] = part
    running.put_state(state)


def create(act: RunningSandbox, record: DesiredRecord, **more: Any) -> WriteAnswer:
    return with_act(act, lambda connector: connector.create(record), **more)


def update(act: RunningSandbox, native_id: str, record: DesiredRecord, *changed: str, **more: Any) -> WriteAnswer:
    return with_act(act, lambda connector: connector.update(native_id, record, changed), **more)


def find(act: RunningSandbox, path: Path, record: DesiredRecord, place: str = PLACE, **more: Any) -> list[str]:
    return with_act(act, lambda connector: connector.find(record.record_type, record.key, place, path), **more)


def read(act: RunningSandbox, path: Path, record_type: str, **more: Any) -> tuple[ReadCertificate, list[Any]]:
    certificate = with_act(act, lambda connector: connector.read(record_type, path), **more)
    rows = [row for line in landed(path) if line["envelope"]["kind"] == "list" for row in line["body"]]
    return certificate, rows


def opportunities(act: RunningSandbox) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = act.state()["act"]["opportunities"]
    return found


# -- levels


def test_a_reading_probe_writes_nothing_and_leaves_open_what_only_writing_can_tell(act: RunningSandbox) -> None:
    found = probe(act, may_write=False)
    assert act.effects() == []
    assert "custom_tables" not in found
    assert found["custom_fields"].level == "creatable"
    assert found["order_search"].level == "scan"


def test_a_writing_probe_sets_up_fields_and_tables_and_leaves_no_record_behind(act: RunningSandbox) -> None:
    found = {name: level.level for name, level in probe(act).items()}
    assert found == {
        "custom_fields": "ready", "custom_tables": "available", "database_currency": "USD",
        "opportunity_put": "replaces", "order_search": "source_id", "contact_search": "scan",
        "payment_search": "column",
    }  # fmt: skip
    state = act.state()["act"]
    assert [entity["name"] for entity in state["entities"]] == ["GHL_PAYMENT", "GHL_SUBSCRIPTION"]
    assert (state["opportunities"], state["custom"]["GHL_PAYMENT"]) == ([], [])
    assert {name: level.level for name, level in probe(act, may_write=False).items()}["custom_tables"] == "available"


@pytest.mark.parametrize(
    ("switches", "capability", "level"),
    [
        ({"act_source_id": "not_filterable"}, "order_search", "custom_field"),
        ({"act_source_id": "dropped"}, "order_search", "custom_field"),
        ({"act_source_id": "dropped", "act_custom_field_filter": False}, "order_search", "dynamic_list"),
        ({"act_source_id": "dropped", "act_custom_field_filter": False, "act_dynamic_list": False}, "order_search", "scan"),
        ({"act_source_id": "not_filterable", "act_odata_error": 500}, "order_search", "custom_field"),
        ({"act_put": "merges"}, "opportunity_put", "merges"),
        ({"act_custom_tables": False}, "custom_tables", "unavailable"),
        ({"act_column_filter": False}, "payment_search", "scan"),
        ({"act_currency_settings": False}, "database_currency", "unknown"),
        ({"act_define_fields": False}, "custom_fields", "missing"),
    ],
)  # fmt: skip
def test_each_level_is_found_out(act: RunningSandbox, switches: dict[str, Any], capability: str, level: str) -> None:
    act.switches(**switches)
    assert probe(act)[capability].level == level


def test_a_filter_that_finds_nonsense_is_no_filter(act: RunningSandbox) -> None:
    act.fault("ignored_filter", system="act", params=["$filter"])
    found = probe(act)
    assert found["order_search"].level == "dynamic_list"
    assert found["payment_search"].level == "scan"


def test_a_test_opportunity_of_a_probe_cut_short_is_removed_by_the_next(act: RunningSandbox) -> None:
    act.fault("status", system="act", method="DELETE", path=".*/opportunities/.*", status=400, times=1)
    probe(act)
    assert len(opportunities(act)) == 1
    probe(act)
    assert opportunities(act) == []


def test_fields_are_found_under_the_names_that_records_show(act: RunningSandbox, tmp_path: Path) -> None:
    probe(act)
    state = act.state()["act"]
    for column in state["fields"]:
        if column["name"] == "ghl_status":
            column |= {"columnName": "CUST_99", "name": "GHL STATUS", "displayName": "Shop's status"}
    put(act, **state)
    options = {"fields": {"opportunity": {"ghl_status": "shop's Status"}}}
    made = create(act, order(), options=options)
    body = document(act, tmp_path / "d", "opportunity", made.native_id, options=options)
    assert body["customFields"]["cust_99"] == "completed"
    _, rows = read(act, tmp_path / "f", "field", options=options)
    assert {"id": "opportunity/ghl_status", "owner": "opportunity", "field": "ghl_status", "name": "cust_99"} in rows


def test_without_the_right_to_define_fields_nothing_is_sent_and_the_fields_are_named(act: RunningSandbox) -> None:
    act.switches(act_define_fields=False)
    with pytest.raises(errors.Rejected, match=r"'ghl_key' .*Nothing was sent"):
        create(act, order())
    assert [e for e in act.effects() if not str(e["key"] or "ghl:probe").startswith("ghl:probe")] == []


# -- reading


@pytest.mark.parametrize("switches", [{}, {"act_top_cap": 7}, {"act_edited_digits": 0}, {"act_filter_edited": False}])
def test_every_record_type_of_a_world_is_read_completely(
    sandbox: SandboxFactory, tmp_path: Path, switches: dict[str, Any]
) -> None:
    running = sandbox(orders=120)
    running.switches(**switches)
    world = running.state()["act"]
    truth = {
        "contact": world["contacts"], "opportunity": world["opportunities"],
        "payment": world["custom"]["GHL_PAYMENT"], "subscription": world["custom"]["GHL_SUBSCRIPTION"],
    }  # fmt: skip
    for record_type, docs in truth.items():
        certificate, rows = read(running, tmp_path / record_type, record_type, levels={"custom_tables": "available"})
        visible = sorted(doc["id"] for doc in docs if not doc.get("isPrivate"))
        assert sorted(row["id"] for row in rows) == visible
        assert (certificate.complete, certificate.rows, certificate.declared) == (True, len(visible), None)
        assert "private" in str(certificate.limits)


@pytest.mark.parametrize("search", ["column", "scan"])
def test_without_custom_tables_only_our_own_history_and_opportunities_are_landed(
    sandbox: SandboxFactory, tmp_path: Path, search: str
) -> None:
    running = sandbox(orders=60, switches=("act_custom_tables=false",))
    state = running.state()["act"]
    levels = {"payment_search": search, "order_search": "source_id" if search == "column" else "scan"}
    for record_type, name, key in (("payment", "history", "ghl:txn:"), ("subscription", "opportunities", "ghl:sub:")):
        certificate, rows = read(running, tmp_path / record_type, record_type, levels=levels)
        ours = [d for d in state[name] if str(d.get("regarding") or d.get("sourceId")).startswith(key)]
        assert sorted(row["id"] for row in rows) == sorted(doc["id"] for doc in ours)
        assert (certificate.complete, certificate.rows) == (True, len(ours))


def test_rows_without_the_members_we_need_make_a_list_incomplete(act: RunningSandbox, tmp_path: Path) -> None:
    probe(act)
    act.fault("status", system="act", path=".*/contacts", status=200, body=[{"id": "x", "fullName": "A"}])
    certificate, _ = read(act, tmp_path / "c", "contact", levels={"custom_tables": "available"})
    assert not certificate.complete
    assert "customFields" in str(certificate.reason)


def test_an_answer_that_is_no_bare_array_is_no_empty_list(act: RunningSandbox, tmp_path: Path) -> None:
    act.fault("status", system="act", path=".*/opportunities", status=200, body={"value": []})
    certificate, _ = read(act, tmp_path / "c", "opportunity", levels={})
    assert (certificate.complete, str(certificate.reason)[:13]) == (False, "schema_drift:")
    act.clear_faults()
    act.fault("html", system="act", path=".*/opportunities")
    with pytest.raises(errors.Unreadable):
        read(act, tmp_path / "c", "opportunity", levels={})


def statuses(act: RunningSandbox, path: Path, *native_ids: str) -> dict[str, int]:
    return with_act(act, lambda connector: connector.read_details("contact", native_ids, path), levels={})


def test_a_record_is_gone_only_if_act_itself_says_so(act: RunningSandbox, tmp_path: Path) -> None:
    assert statuses(act, tmp_path / "d", OWNER["id"], "nobody") == {OWNER["id"]: 200, "nobody": 404}
    act.fault("status", system="act", path=".*/contacts/.*", status=404, body="<html>moved</html>")
    assert statuses(act, tmp_path / "e", OWNER["id"], "nobody") == {OWNER["id"]: 0, "nobody": 0}


# -- writing


@pytest.mark.parametrize("record_type", MADE)
@pytest.mark.parametrize("switches", [{}, FALLBACK], ids=["tables", "fallback"])
def test_a_record_is_created_once_and_found_by_its_key(
    act: RunningSandbox, tmp_path: Path, record_type: str, switches: dict[str, Any]
) -> None:
    act.switches(**switches)
    record = MADE[record_type]()
    made = create(act, record)
    assert create(act, record) == WriteAnswer(made.native_id, 200)
    assert find(act, tmp_path / "f", record) == [made.native_id]
    assert find(act, tmp_path / "g", record, place="elsewhere") == []
    [line] = landed(tmp_path / "f")
    assert (line["envelope"]["native_id"], line["body"]["id"]) == (made.native_id, made.native_id)


def test_an_order_carries_key_money_and_products(act: RunningSandbox, tmp_path: Path) -> None:
    made = create(act, order())
    body = document(act, tmp_path / "d", "opportunity", made.native_id)
    assert (body["sourceId"], body["customFields"]["ghl_key"]) == ("ghl:order:O1", "ghl:order:O1")
    assert (body["productTotal"], body["customFields"]["ghl_amount"]) == (Decimal("21.99"), "21.99")
    assert (body["status"], body["openDate"], body["source"]) == (1, "2026-11-01T00:00:00.000Z", "GoHighLevel")
    products = {product["itemNumber"]: product for product in act.state()["act"]["products"]}
    assert {number: (p["price"], p["quantity"]) for number, p in products.items()} == {
        "ghl:line:1": (Decimal("10.5"), 2), "ghl:line:tax": (Decimal("0.99"), 1),
    }  # fmt: skip
    [post] = [e for e in act.effects() if e["method"] == "POST" and e["key"] == "ghl:order:O1"]
    assert {"sourceId", "contacts"} < post["body"].keys()
    assert post["body"]["customFields"]["ghl_key"] == "ghl:order:O1"


def test_an_order_in_another_currency_has_no_products(act: RunningSandbox, tmp_path: Path) -> None:
    made = create(act, order(ghl_currency="JPY", ghl_amount="500", lines=None, total=None))
    body = document(act, tmp_path / "d", "opportunity", made.native_id)
    assert (body["productTotal"], body["customFields"]["ghl_amount"]) == (0, "500")


@pytest.mark.parametrize(
    ("record", "texts"),
    [(payment(currency="KWD", amount="1234"), ("1.234", "0.000")), (payment(refunded="700"), ("21.99", "7.00"))],
)
@pytest.mark.parametrize("switches", [{}, FALLBACK], ids=["tables", "fallback"])
def test_a_payment_keeps_amount_and_refund_exactly(
    act: RunningSandbox, tmp_path: Path, record: DesiredRecord, texts: tuple[str, str], switches: dict[str, Any]
) -> None:
    act.switches(**switches)
    made = create(act, record)
    body = document(act, tmp_path / "d", "payment", made.native_id)
    if switches:
        assert f'"amount":"{texts[0]}"' in body["details"]
        assert f'"refunded":"{texts[1]}"' in body["details"]
        assert (body["regarding"], body["historyTypeID"], body["startTime"]) == ("ghl:txn:T1", 1001, AT)
    else:
        assert (body["amount"], body["refunded"]) == (Decimal(texts[0]), Decimal(texts[1]))
    assert body["contacts"][0]["id"] == OWNER["id"]


def test_without_a_history_type_a_payment_is_refused_before_anything_is_sent(act: RunningSandbox) -> None:
    act.switches(**FALLBACK)
    with pytest.raises(errors.Rejected, match="history_type_id"):
        create(act, payment(), options={"history_type_id": None})
    assert act.state()["act"]["history"] == []


def test_a_contact_is_adopted_by_its_address_and_keeps_its_names(act: RunningSandbox) -> None:
    act.switches(act_case_sensitive=True)
    assert create(act, contact()) == WriteAnswer(OWNER["id"], 200)
    [kept] = act.state()["act"]["contacts"]
    assert (kept["fullName"], kept["emailAddress"]) == ("Ada Native", "ada@example.com")
    custom = {name: value for name, value in kept["customFields"].items() if value is not None}
    assert custom == {"ghl_key": "ghl:contact:C1", "ghl_location": PLACE}


def test_a_contact_of_another_key_is_not_adopted(act: RunningSandbox) -> None:
    create(act, contact("ghl:contact:C9"))
    assert create(act, contact()).status == 201
    assert len(act.state()["act"]["contacts"]) == 2


def test_two_contacts_with_one_address_are_left_to_a_person(act: RunningSandbox) -> None:
    put(act, contacts=[dict(OWNER), {**OWNER, "id": "c2", "emailAddress": "ADA@example.com"}])
    with pytest.raises(errors.Rejected, match="2 contacts"):
        create(act, contact())
    assert len(act.state()["act"]["contacts"]) == 2


def test_two_records_with_one_key_are_left_to_a_person(act: RunningSandbox) -> None:
    probe(act)
    twins = [{"id": f"o{n}", "name": "N", "sourceId": "ghl:order:O1"} for n in range(2)]
    put(act, **act.state()["act"] | {"opportunities": twins})
    with pytest.raises(errors.Rejected, match="2 records"):
        create(act, order())


def test_keys_that_differ_by_case_are_different(act: RunningSandbox, tmp_path: Path) -> None:
    create(act, order())
    other = DesiredRecord("opportunity", "ghl:order:o1", PLACE, order().fields, order().parents)
    assert find(act, tmp_path / "f", other) == []
    assert create(act, other).status == 201


@pytest.mark.parametrize("level", ["source_id", "custom_field", "dynamic_list", "scan"])
@pytest.mark.parametrize("switches", [{}, {"act_source_id": "dropped", "act_custom_field_filter": False,
                                           "act_dynamic_list": False}])  # fmt: skip
def test_find_is_right_at_every_level_even_one_that_does_not_work(
    act: RunningSandbox, tmp_path: Path, level: str, switches: dict[str, Any]
) -> None:
    act.switches(**switches)
    probe(act)
    levels = {"order_search": level, "custom_tables": "available"}
    made = create(act, order(), levels=levels)
    assert find(act, tmp_path / "f", order(), levels=levels) == [made.native_id]


@pytest.mark.parametrize("mode", ["blanks", "merges"])
def test_an_update_changes_what_it_names_and_keeps_all_else(act: RunningSandbox, tmp_path: Path, mode: str) -> None:
    act.switches(act_put=mode)
    made = create(act, order())
    before = document(act, tmp_path / "b", "opportunity", made.native_id)
    update(act, made.native_id, order(ghl_status="refunded", ghl_tracking=None, status="2"), "ghl_status", "status")
    after = document(act, tmp_path / "a", "opportunity", made.native_id)
    assert (after["customFields"]["ghl_status"], after["status"]) == ("refunded", 2)
    changed = {name for name in before if before[name] != after.get(name)}
    assert changed <= {"customFields", "status", "statusName", "edited"}
    assert after["customFields"] == before["customFields"] | {"ghl_status": "refunded"}


def test_a_status_is_written_by_name_where_the_database_shows_names(act: RunningSandbox) -> None:
    act.switches(act_status_names=True)
    create(act, order())
    native_id = opportunities(act)[0]["id"]
    update(act, native_id, order(status="2"), "status")
    [put_effect] = [e for e in act.effects() if e["method"] == "PUT" and e["key"] == "ghl:order:O1"]
    assert put_effect["body"]["status"] == "Lost"


def test_a_total_is_mended_through_our_products_only(act: RunningSandbox, tmp_path: Path) -> None:
    made = create(act, order())
    products = act.state()["act"]["products"]
    products[0]["price"] = 99
    foreign = {**products[0], "id": "p-foreign", "itemNumber": "SKU-7", "price": 0}
    extra = {**products[0], "id": "p-extra", "itemNumber": "ghl:line:9"}
    put(act, **act.state()["act"] | {"products": [products[0], foreign, extra]})
    update(act, made.native_id, order(), "lines")
    left = {p["itemNumber"]: p["price"] for p in act.state()["act"]["products"]}
    assert left == {"ghl:line:1": Decimal("10.5"), "SKU-7": 0, "ghl:line:tax": Decimal("0.99")}
    assert document(act, tmp_path / "d", "opportunity", made.native_id)["productTotal"] == Decimal("21.99")
    assert [e for e in act.effects() if e["method"] == "PUT" and e["key"] == "ghl:order:O1"] == []


def test_products_are_not_fetched_for_a_change_that_does_not_touch_them(act: RunningSandbox) -> None:
    made = create(act, order())
    before = len([r for r in act.requests() if r["path"].endswith("/products")])
    update(act, made.native_id, order(ghl_status="x"), "ghl_status")
    assert len([r for r in act.requests() if r["path"].endswith("/products")]) == before


@pytest.mark.parametrize("switches", [{}, FALLBACK], ids=["tables", "fallback"])
def test_payments_and_subscriptions_are_updated_in_either_form(
    act: RunningSandbox, tmp_path: Path, switches: dict[str, Any]
) -> None:
    act.switches(**switches)
    paid, billed = create(act, payment()), create(act, subscription())
    update(act, paid.native_id, payment(refunded="2199", status="refunded"), "refunded", "status")
    update(act, billed.native_id, subscription(status="canceled", state="3", next_billing_at=None), "status", "state",
           "next_billing_at")  # fmt: skip
    row = document(act, tmp_path / "p", "payment", paid.native_id)
    item = document(act, tmp_path / "s", "subscription", billed.native_id)
    if switches:
        assert '"refunded":"21.99"' in row["details"]
        assert '"amount":"21.99"' in row["details"]
        assert (item["status"], item["customFields"]["ghl_status"]) == (3, "canceled")
        assert item["customFields"]["ghl_next_billing_at"] is None
        assert (item["sourceId"], item["productTotal"], item["customFields"]["ghl_plan"]) == ("ghl:sub:S1", 0, "Gold")
    else:
        assert (row["refunded"], row["status"], row["amount"]) == (Decimal("21.99"), "refunded", Decimal("21.99"))
        assert (item["status"], item["next_billing_at"], item["amount"]) == ("canceled", None, Decimal("9.5"))


# -- trouble


@pytest.mark.parametrize("kind", ["lost_reply", "status_after_commit"])
@pytest.mark.parametrize("record_type", MADE)
def test_a_lost_answer_to_a_create_is_unknown_and_found_again(
    act: RunningSandbox, tmp_path: Path, kind: str, record_type: str
) -> None:
    record = MADE[record_type]()
    if record_type == "contact":
        record = contact(email=None)
    probe(act)
    levels = {"custom_tables": "available"}
    paths = {"contact": ".*/contacts", "opportunity": ".*/opportunities"}
    path = paths.get(record_type, ".*/custom/entities/[^/]*")
    act.fault(kind, system="act", method="POST", path=path, status=502, times=1)
    with pytest.raises(errors.OutcomeUnknown):
        create(act, record, levels=levels)
    [native_id] = find(act, tmp_path / "f", record, levels=levels)
    assert create(act, record, levels=levels) == WriteAnswer(native_id, 200)


def test_a_lost_answer_to_a_product_leaves_the_order_created_and_the_next_update_completes_it(
    act: RunningSandbox, tmp_path: Path
) -> None:
    probe(act)
    act.fault("lost_reply", system="act", method="POST", path=".*/products", times=1)
    made = create(act, order(), levels={})
    assert made.status == 201
    update(act, made.native_id, order(), "lines", levels={})
    assert document(act, tmp_path / "d", "opportunity", made.native_id)["productTotal"] == Decimal("21.99")
    assert len(act.state()["act"]["products"]) == 2


def test_a_throttled_write_is_sent_again_and_a_503_is_not(act: RunningSandbox) -> None:
    probe(act)
    act.fault("status", system="act", method="POST", path=".*/opportunities", status=429, times=1,
              headers={"Retry-After": "0"})  # fmt: skip
    assert create(act, order(), levels={}).status == 201
    act.fault("status", system="act", method="POST", path=".*/contacts", status=503, times=1)
    with pytest.raises(errors.OutcomeUnknown):
        create(act, contact(email=None), levels={})


def test_a_refused_row_says_so_and_nothing_is_created(act: RunningSandbox) -> None:
    with pytest.raises(errors.Rejected):
        create(act, order(ghl_currency="TOO LONG"))
    assert opportunities(act) == []


def test_a_dead_token_is_replaced_once(act: RunningSandbox) -> None:
    probe(act)
    act.fault("status", system="act", path=".*/opportunities", status=401, times=1)
    assert create(act, order(), levels={}).status == 201
    act.fault("status", system="act", path=".*/api/.*", status=401)
    with pytest.raises(errors.Unauthorised):
        create(act, order(), levels={})


def test_a_null_reference_is_a_lost_sign_in_once_and_then_a_fault_of_the_server(
    act: RunningSandbox, tmp_path: Path
) -> None:
    fallen = {"message": "An error has occurred.", "exceptionType": "System.NullReferenceException"}
    act.fault("status", system="act", path=".*/contacts/.*", status=500, body=fallen, times=1)
    before = len([r for r in act.requests() if r["path"].endswith("authorize")])
    document(act, tmp_path / "d", "contact", OWNER["id"], levels={})
    assert len([r for r in act.requests() if r["path"].endswith("authorize")]) == before + 2
    act.fault("status", system="act", path=".*/contacts/.*", status=500, body=fallen)
    assert statuses(act, tmp_path / "e", OWNER["id"]) == {OWNER["id"]: 500}


@pytest.mark.parametrize(
    ("access", "told"), [("incompatible", "update Act!"), ("no_subscription", "subscription"), ("no_api_access", "permission")]
)  # fmt: skip
def test_a_refused_sign_in_says_what_is_missing(act: RunningSandbox, access: str, told: str) -> None:
    act.switches(act_access=access)
    with pytest.raises(errors.Forbidden, match=told):
        probe(act)


@pytest.mark.parametrize("changed", [{"password": "no"}, {"database": "no"}])
def test_a_wrong_password_is_an_error_of_the_sign_in_without_the_password(
    act: RunningSandbox, changed: dict[str, Any]
) -> None:
    with pytest.raises(errors.Unauthorised) as refused:
        probe(act, **changed)
    assert "database name" in str(refused.value)
    assert "no" not in str(refused.value).split()


def test_a_token_in_quotes_is_read(act: RunningSandbox) -> None:
    act.switches(act_token_quoted=True)
    assert probe(act)["custom_fields"].level == "ready"


def test_a_short_lived_token_is_renewed_in_time(act: RunningSandbox, tmp_path: Path) -> None:
    act.switches(act_token_seconds=60)
    document(act, tmp_path / "d", "contact", OWNER["id"], levels={})
    assert not [r for r in act.requests() if r["status"] == 401]


def test_the_probe_of_a_check_says_whether_there_is_anything(act: RunningSandbox) -> None:
    shown = with_act(act, lambda connector: connector.probe("contact"), levels={})
    empty = with_act(act, lambda connector: connector.probe("opportunity"), levels={})
    fields = with_act(act, lambda connector: connector.probe("field"), levels={})
    assert (shown.rows, empty.rows, (fields.rows or 0) > 10) == (None, 0, True)
    assert shown.clock_ahead is not None
