"""What GHL wants a target to hold: keys, groups, totals, lines and texts, out of small purchases."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ghl_payments.transport.jsontext import decode
from ghl_payments.warehouse import reconcile
from ghl_payments_tests.sandbox.oracle_states import LOCATION, OLD, order, parcel, txn
from ghl_payments_tests.warehouse.desk import Desk

Document = dict[str, Any]
JAN, FEB, MAR = "2026-01-05T00:00:00.000Z", "2026-02-05T00:00:00.000Z", "2026-02-06T00:00:00.000Z"


class Wanted:
    """Desired rows by (record type, key)."""

    def __init__(self, desk: Desk) -> None:
        desk.stage()
        reconcile.derive_desired(desk.con, [desk.halo], LOCATION)
        self.rows = {
            (row["record_type"], row["key"], row["representable"]): row for row in desk.rows("reconciliation.desired")
        }

    def keys(self, record_type: str, *, representable: bool = True) -> set[str]:
        return {key for kind, key, fits in self.rows if kind == record_type and fits == representable}

    def money(self, record_type: str, *, representable: bool = True) -> dict[str, tuple[int | None, str | None]]:
        return {
            key: (self.rows[record_type, key, representable]["amount_minor"],
                  self.rows[record_type, key, representable]["currency"])
            for key in self.keys(record_type, representable=representable)
        }  # fmt: skip

    def fields(self, record_type: str, key: str) -> Document:
        found: Document = decode(self.rows[record_type, key, True]["fields"])
        return found

    def parents(self, record_type: str, key: str) -> Document:
        found: Document = decode(self.rows[record_type, key, True]["parents"])
        return found


def wanted(desk: Desk, orders: list[Document], transactions: list[Document], **parts: Any) -> Wanted:
    desk.purchases(orders, transactions, **parts)
    return Wanted(desk)


def test_a_charge_pays_its_order_its_invoice_or_itself(desk: Desk) -> None:
    found = wanted(desk, [order()], [
        txn("t1"), txn("t2", entityId="o9"), txn("t3", entityType="invoice", entityId="i1"),
        txn("t4", entityType="page", entityId="p1"), txn("t5", entityType="order", entityId=None),
        txn("t6", entityType=None, entityId="o1"), txn("t7", entityType="invoice", entityId=""),
    ])  # fmt: skip
    assert found.keys("invoice") == {
        "ghl:order:o1", "ghl:order:o9", "ghl:invoice:i1", "ghl:txn:t4", "ghl:txn:t5", "ghl:txn:t6", "ghl:txn:t7",
    }  # fmt: skip
    assert found.keys("invoice_payment") == {f"ghl:txn:t{n}" for n in range(1, 8)}


def test_a_renewal_has_an_invoice_of_its_own(desk: Desk) -> None:
    found = wanted(desk, [order(amount=10)], [
        txn("t1", amount=10, subscriptionId="s1", createdAt=JAN), txn("t2", amount=12, subscriptionId="s1", createdAt=FEB),
    ])  # fmt: skip
    assert found.money("invoice") == {"ghl:order:o1": (1_000, "USD"), "ghl:txn:t2": (1_200, "USD")}
    assert found.parents("invoice", "ghl:order:o1") == {"client": "ghl:contact:c1", "sales_order": "ghl:order:o1"}
    assert found.parents("invoice", "ghl:txn:t2") == {"client": "ghl:contact:c1", "sales_order": None}


def test_part_payments_share_one_invoice_of_the_orders_amount(desk: Desk) -> None:
    found = wanted(desk, [order(amount=100)], [
        txn("t2", amount=60, createdAt=MAR, chargeId="pi_2"), txn("t1", amount=30, createdAt=FEB, chargeId="pi_1"),
    ])  # fmt: skip
    assert found.money("invoice") == {"ghl:order:o1": (10_000, "USD")}
    assert found.money("invoice_payment") == {"ghl:txn:t1": (3_000, "USD"), "ghl:txn:t2": (6_000, "USD")}
    fields = found.fields("invoice", "ghl:order:o1")
    assert (fields["reference"], fields["invoice_date"], fields["title"]) == ("pi_1", FEB, "GHL order o1")
    assert found.parents("invoice_payment", "ghl:txn:t2")["invoice"] == "ghl:order:o1"


def test_without_a_usable_amount_of_its_order_an_invoice_is_the_sum_of_its_charges(desk: Desk) -> None:
    unusable = ({"amount": 0}, {"amount": Decimal("5.005")}, {"liveMode": False}, {"currency": "EUR"}, {"amount": "x"})
    orders = [order(f"o{number}", **changes) for number, changes in enumerate(unusable)]
    charges = [txn(f"t{n}{part}", entityId=f"o{n}", amount=part) for n in range(len(unusable)) for part in (30, 12)]
    found = wanted(desk, orders, charges)
    assert found.money("invoice") == {f"ghl:order:o{n}": (4_200, "USD") for n in range(len(unusable))}


def test_dollars_and_euros_are_never_added_up(desk: Desk) -> None:
    found = wanted(desk, [], [txn("t1", amount=10), txn("t2", amount=10, currency="EUR", createdAt=MAR)])
    assert found.money("invoice") == {"ghl:order:o1": (1_000, "USD")}
    assert found.money("invoice_payment") == {"ghl:txn:t1": (1_000, "USD")}
    assert found.money("invoice_payment", representable=False) == {"ghl:txn:t2": (1_000, "EUR")}


def test_only_money_that_was_taken_is_wanted(desk: Desk) -> None:
    found = wanted(desk, [], [
        txn("t1", status="failed"), txn("t2", status="pending"), txn("t3", amount=0), txn("t4", amount=-5),
        txn("t5", liveMode=False), txn("t6", status="refunded"), txn("t7", markAsTest=True),
    ])  # fmt: skip
    assert found.keys("invoice_payment") == {"ghl:txn:t6"}
    assert found.keys("client") == found.keys("user") == {"ghl:contact:c1"}


def test_a_refunded_charge_is_wanted_gross_and_its_refund_has_no_form(desk: Desk) -> None:
    found = wanted(desk, [], [
        txn("full", amount=50, status="refunded"), txn("part", amount=50, amountRefunded=20),
        txn("odd", amount=50, amountRefunded="x"), txn("fine", amount=Decimal("0.005"), amountRefunded=Decimal("0.005")),
        txn("whole", amount=50, status="refunded", amountRefunded=50),
    ])  # fmt: skip
    gross = (5_000, "USD")
    assert found.money("invoice_payment") == {f"ghl:txn:{name}": gross for name in ("full", "part", "odd", "whole")}
    assert found.money("invoice_payment", representable=False) == {
        "ghl:txn:full": gross, "ghl:txn:part": (2_000, "USD"), "ghl:txn:odd": (None, None), "ghl:txn:fine": (None, None),
        "ghl:txn:whole": gross,
    }  # fmt: skip


def test_what_no_target_can_hold_says_why(desk: Desk) -> None:
    found = wanted(desk, [order("fine", amount=Decimal("1.005")), order("alone", contactId=None), order("zero", amount=0)], [
        txn("fine", amount=Decimal("0.005"), entityType=None), txn("alone", contactId=None, entityType=None),
    ])  # fmt: skip
    reasons = {key: row["reason"] for (_, key, fits), row in found.rows.items() if not fits}
    assert reasons == {
        "ghl:order:fine": "the amount has more decimals than USD has", "ghl:order:alone": "the order has no contact",
        "ghl:txn:fine": "the amount has more decimals than USD has", "ghl:txn:alone": "the charge has no contact",
    }  # fmt: skip
    assert found.money("sales_order", representable=False) == {
        "ghl:order:fine": (None, None),
        "ghl:order:alone": (10_050, "USD"),
    }
    assert found.keys("sales_order") == set()


def test_a_charge_without_a_contact_has_that_of_its_order(desk: Desk) -> None:
    found = wanted(desk, [order(contactId="c7")], [txn(contactId=None)])
    assert found.parents("invoice_payment", "ghl:txn:t1")["client"] == "ghl:contact:c7"
    assert found.keys("client") == {"ghl:contact:c7"}


def test_a_merged_contact_is_one_client(desk: Desk) -> None:
    found = wanted(desk, [order(contactId="c1"), order("o2", contactId="c2")],
                   [txn(contactId="c3", mergedFromContactId="c2"), txn("t2", contactId="c2", mergedFromContactId="c1")])  # fmt: skip
    assert found.keys("client") == {"ghl:contact:c3"}
    assert found.parents("sales_order", "ghl:order:o1") == {"client": "ghl:contact:c3", "user": "ghl:contact:c3"}


def lines_of(found: Wanted, key: str = "ghl:order:o1") -> list[tuple[str, Decimal, Decimal, str]]:
    lines = decode(found.fields("sales_order", key)["lines"])
    return [(line["name"], Decimal(line["quantity"]), Decimal(line["price"]), line["note"]) for line in lines]


def test_lines_are_the_items_then_discount_tax_and_shipping(desk: Desk) -> None:
    items = [{"name": "A", "qty": 2, "price": {"_id": "p1", "amount": Decimal("50.25")}},
             {"name": "B", "qty": 1, "price": {"_id": "p1", "amount": 5}}]  # fmt: skip
    summary = {"subtotal": Decimal("105.5"), "discount": 10, "tax": Decimal("7.1"), "shipping": 3}
    found = wanted(desk, [order(amount=Decimal("105.6"), items=items, amountSummary=summary)], [])
    assert lines_of(found) == [
        ("A", 2, Decimal("50.25"), "ghl:line:1"), ("B", 1, 5, "ghl:line:2"), ("Discount", 1, -10, "ghl:line:discount"),
        ("Tax", 1, Decimal("7.1"), "ghl:line:tax"), ("Shipping", 1, 3, "ghl:line:shipping"),
    ]  # fmt: skip


money = st.decimals("-5000", "5000", places=2)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amounts=st.lists(st.tuples(money, st.lists(st.tuples(st.integers(1, 9), money), max_size=3), money, money, money),
                        min_size=1, max_size=8))  # fmt: skip
def test_lines_always_add_up_to_the_orders_amount(
    desk: Desk, amounts: list[tuple[Decimal, list[tuple[int, Decimal]], Decimal, Decimal, Decimal]]
) -> None:
    desk.con.execute("delete from raw.orders; delete from raw.order_details")
    orders = [
        order(f"o{number}", amount=amount, amountSummary={"discount": discount, "tax": tax, "shipping": shipping}, items=[
            {"name": "Thing", "qty": quantity, "price": {"_id": "p1", "amount": price}} for quantity, price in items
        ])
        for number, (amount, items, discount, tax, shipping) in enumerate(amounts)
    ]  # fmt: skip
    found = wanted(desk, orders, [])
    for number, (amount, *_) in enumerate(amounts):
        if amount:
            lines = lines_of(found, f"ghl:order:o{number}")
            assert sum(quantity * price for _, quantity, price, _ in lines) == amount


def test_an_order_says_its_money_its_parcels_and_its_subscription_as_texts(desk: Desk) -> None:
    parcels = [
        parcel("f2", "2026-02-04T10:00:00Z", 1, {"trackingNumber": "7"}),
        parcel("f1", "2026-02-03T05:00:00-05:00", 1, {"shippingCarrier": "UPS", "trackingNumber": "1Z"}),
    ]
    items = [{"name": "A", "qty": 3, "price": {"_id": "p1", "amount": 5}}]
    plain = {
        "liveMode": True,
        "entityType": "order",
        "entityId": "o1",
        "amount": 5,
        "currency": "USD",
        "createdAt": OLD,
    }
    subscriptions = [
        plain | {"_id": f"s{n}", "status": status} for n, status in enumerate(("paused", "active", "active"))
    ]
    found = wanted(desk, [order(currency="KWD", amount=Decimal("1.5"), items=items)], [],
                   fulfillments={"o1": parcels}, subscriptions=subscriptions)  # fmt: skip
    fields = found.fields("sales_order", "ghl:order:o1")
    expected = {
        "amount_text": "1.500", "currency_text": "KWD", "currency": "KWD", "total": "1500", "status": "completed",
        "tracking": "UPS 1Z; 7", "ship_status": "partly fulfilled", "ship_date": "2026-02-03T10:00:00.000Z",
        "fulfillments": '[{"id":"f1","items":[{"price":"p1","qty":1}]},{"id":"f2","items":[{"price":"p1","qty":1}]}]',
        "subscription_status": "active,paused", "date": OLD, "updated_at": OLD, "client": "ghl:contact:c1",
    }  # fmt: skip
    assert {name: fields[name] for name in expected} == expected


def test_an_order_is_fulfilled_when_all_its_units_left(desk: Desk) -> None:
    cases: list[tuple[list[int], list[int], str | None]] = [
        ([3], [3], "fulfilled"), ([3], [2], "partly fulfilled"), ([3], [2, 2], "fulfilled"), ([], [1], "fulfilled"),
        ([3], [0], None), ([], [0], None), ([2, 1], [2], "partly fulfilled"), ([3], [], None),
    ]  # fmt: skip
    orders, parcels = [], {}
    for number, (ordered, shipped, _) in enumerate(cases):
        items = [{"name": "A", "qty": quantity, "price": {"_id": "p1", "amount": 5}} for quantity in ordered]
        orders.append(order(f"o{number}", items=items))
        parcels[f"o{number}"] = [parcel(f"f{n}", OLD, quantity) for n, quantity in enumerate(shipped)]
    found = wanted(desk, orders, [], fulfillments=parcels)
    fields = [found.fields("sales_order", f"ghl:order:o{number}") for number in range(len(cases))]
    assert [row["ship_status"] for row in fields] == [status for _, _, status in cases]
    assert [row["ship_date"] for row in fields] == [OLD if shipped else None for _, shipped, _ in cases]


def test_a_line_twice_with_one_price_is_two_lines(desk: Desk) -> None:
    item = {"name": "A", "qty": 1, "price": {"_id": "p1", "amount": 5}}
    found = wanted(desk, [order(amount=10, items=[item, item])], [])
    assert [line[3] for line in lines_of(found)] == ["ghl:line:1", "ghl:line:2"]


def test_test_records_are_never_wanted_of_a_live_target(desk: Desk) -> None:
    found = wanted(desk, [order(markAsTest=True), order("o2", liveMode=False)], [txn(markAsTest=True)])
    assert found.rows == {}


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_money_is_conserved(desk: Desk, data: st.DataObject) -> None:
    """Payments add up to the charges that can be booked; every payment stands on exactly one wanted invoice."""
    desk.con.execute("delete from raw.transactions; delete from raw.transaction_details")
    charges = data.draw(st.lists(st.tuples(
        st.integers(1, 10**9), st.sampled_from(["USD", "JPY"]), st.sampled_from(["succeeded", "refunded", "failed"]),
        st.sampled_from(["o1", "o2", None]), st.sampled_from([None, "s1"]), st.sampled_from(["c1", "c2"]),
    ), min_size=1, max_size=12))  # fmt: skip
    documents = [
        txn(f"t{n}", amount=Decimal(minor).scaleb(-2) if currency == "USD" else minor, currency=currency, status=status,
            entityId=entity, entityType="order" if currency == "USD" else None, subscriptionId=subscription, contactId=contact)
        for n, (minor, currency, status, entity, subscription, contact) in enumerate(charges)
    ]  # fmt: skip
    found = wanted(desk, [], documents)
    for currency in ("USD", "JPY"):
        taken = sum(minor for minor, code, status, *_ in charges if code == currency and status != "failed")
        paid = [minor for minor, code in found.money("invoice_payment").values() if code == currency]
        billed = [minor for minor, code in found.money("invoice").values() if code == currency]
        assert sum(filter(None, paid)) == sum(filter(None, billed)) == taken
    invoices = {found.parents("invoice_payment", key)["invoice"] for key in found.keys("invoice_payment")}
    assert invoices == found.keys("invoice")
