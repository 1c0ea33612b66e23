"""Random small worlds: a few purchases as odd as GHL's documents can be, and a Halo that agrees with them in part.

Add an oddity here when a rule of agreement knows one more; what must come out is the oracle's business.
"""

from __future__ import annotations

import copy
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import strategies as st

from ghl_payments.sandbox.oracle_desired import derive
from ghl_payments.sandbox.oracle_ghl import read_location
from ghl_payments.sandbox.world_halo import Halo
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW, OLD, ago, location

Document = dict[str, Any]

CREATED = st.sampled_from([
    OLD, OLD, OLD, "2026-02-03T23:30:00.000-05:00", "2026-02-03T23:30:00", "2026-01-31T23:59:59.999Z", "2026-02-05",
])  # fmt: skip
UPDATED = st.sampled_from([OLD, OLD, OLD, ago(seconds=300), ago(seconds=299), ago(seconds=-5), None, "yesterday"])
AMOUNTS = st.sampled_from(
    [Decimal(text) for text in ("100.5", "100.5", "100.5", "0", "7", "0.1", "0.10", "100.505", "-3", "-0.001", "1e3", "0.0001")]
    + ["12.50", "1,234.50", None, True, 10**15, Decimal("999999999999.99")]
)
PLAIN = st.sampled_from([Decimal(text) for text in ("100.5", "100.5", "40.5", "60", "0", "7", "500")])
CURRENCIES = st.sampled_from(["USD", "USD", "USD", "USD", "EUR", "JPY", "KWD"])
ODD_CURRENCIES = st.one_of(CURRENCIES, st.sampled_from(["XXZ", None, ""]))
CONTACTS = st.sampled_from(["c1", "c1", "c2", "c3", None, ""])
ORDER_IDS = st.sampled_from(["o1", "o1", "o2", "o3", "gone"])
KEYS = st.sampled_from([
    "ghl:order:o1", "ghl:order:o2", "ghl:order:o3", "ghl:order:gone", "ghl:txn:t1", "ghl:txn:t2", "ghl:txn:t9",
    "ghl:contact:c2", "ghl:contact:c9", "ghl:invoice:o1", "ghl:invoice:gone", "PO-1", None,
])  # fmt: skip
KEY_FIELDS = {
    "SalesOrder": ("po_number",), "Invoice": ("thirdpartyinvoicenumber",), "ExternalLink": ("third_party_id",),
    "InvoicePayment": ("intent_id", "thirdpartyid"),
}  # fmt: skip


def _sometimes(odd: st.SearchStrategy[Any], plain: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(plain, plain, plain, odd)


@st.composite
def orders(draw: st.DrawFn, number: int) -> Document:
    """An order `o{number}`."""
    price = draw(st.sampled_from([0, 7, 60]))
    currency = draw(_sometimes(ODD_CURRENCIES, CURRENCIES))
    items = [
        {"name": "Thing", "qty": draw(st.integers(1, 3)), "price": {"_id": f"p{line}", "amount": price}}
        for line in range(draw(st.integers(0, 2)))
    ]
    summary = {name: draw(st.sampled_from([0, 0, 2, None])) for name in ("discount", "tax", "shipping")}
    return {
        "_id": f"o{number}", "contactId": draw(CONTACTS), "currency": currency,
        "amount": draw(_sometimes(AMOUNTS, PLAIN)), "status": draw(st.sampled_from(["completed", "pending"])),
        "paymentStatus": draw(st.sampled_from(["paid", "paid", "unpaid", "partially_paid", "refunded"])),
        "liveMode": draw(st.sampled_from([True, True, True, True, False])),
        "markAsTest": draw(st.sampled_from([False, False, False, False, True])),
        "createdAt": draw(_sometimes(st.just("soon"), CREATED)), "updatedAt": draw(UPDATED),
        "items": items, "amountSummary": summary,
    }  # fmt: skip


@st.composite
def transactions(draw: st.DrawFn, number: int) -> Document:
    """A transaction `t{number}`, often a charge of one of the orders."""
    merged = draw(st.sampled_from([{}, {}, {}, {"mergedFromContactId": "c1"}, {"mergedFromContactId": "c2"}]))
    return {
        "_id": f"t{number}", "contactId": draw(CONTACTS), "currency": draw(_sometimes(ODD_CURRENCIES, CURRENCIES)),
        "amount": draw(_sometimes(AMOUNTS, PLAIN)),
        "amountRefunded": draw(st.sampled_from([0, 0, 0, None, Decimal("100.5"), Decimal("20.25"), Decimal("0.001")])),
        "status": draw(st.sampled_from(["succeeded", "succeeded", "succeeded", "refunded", "failed", "pending"])),
        "liveMode": draw(st.sampled_from([True, True, True, True, False])),
        "markAsTest": draw(st.sampled_from([False, False, False, False, True])),
        "createdAt": draw(_sometimes(st.just("soon"), CREATED)), "updatedAt": draw(UPDATED),
        "entityType": draw(st.sampled_from(["order", "order", "order", "order", "invoice", "page", None])),
        "entityId": draw(_sometimes(st.sampled_from([None, ""]), ORDER_IDS)),
        "subscriptionId": draw(st.sampled_from([None, None, None, "s1"])),
        "chargeId": draw(st.sampled_from([None, "pi_1"])),
    } | merged  # fmt: skip


@st.composite
def parcels(draw: st.DrawFn, number: int) -> Document:
    """A fulfillment `f{number}`."""
    trackings = draw(st.lists(st.fixed_dictionaries({}, optional={
        "shippingCarrier": st.sampled_from(["UPS", "", None]), "trackingNumber": st.sampled_from(["1Z 9", "", None]),
    }), max_size=2))  # fmt: skip
    items = [
        {"price": {"_id": f"p{line}"}, "qty": draw(st.integers(0, 3))} for line in range(draw(st.integers(0, 2)))
    ]
    created = draw(st.sampled_from([OLD, "2026-02-02T00:00:00Z", "2026-01-31T12:00:00-10:00"]))
    return {"_id": f"f{number}", "createdAt": created, "trackings": trackings, "items": items}


@st.composite
def subscriptions(draw: st.DrawFn, number: int) -> Document:
    """A subscription `s{number}` of some order."""
    return {
        "_id": f"s{number}", "entityType": "order", "entityId": draw(ORDER_IDS), "amount": 10, "currency": "USD",
        "status": draw(st.sampled_from(["active", "canceled", "trialing"])), "liveMode": draw(st.booleans()),
        "markAsTest": draw(st.booleans()), "createdAt": OLD, "updatedAt": OLD,
    }  # fmt: skip


@st.composite
def places(draw: st.DrawFn) -> Document:
    """One location of a state document."""
    of_orders = {f"o{n}": draw(st.lists(st.one_of(parcels(1), parcels(2)), max_size=2, unique_by=lambda d: d["_id"]))
                 for n in (1, 2)}  # fmt: skip
    return location(
        [draw(orders(n)) for n in range(1, draw(st.integers(1, 3)) + 1)],
        [draw(transactions(n)) for n in range(1, draw(st.integers(0, 4)) + 1)],
        subscriptions=[draw(subscriptions(n)) for n in range(1, draw(st.integers(0, 2)) + 1)],
        fulfillments={order_id: documents for order_id, documents in of_orders.items() if documents},
    )


def agreed(place: Document) -> dict[str, list[Document]]:
    """A Halo that holds what the location asks for, and records of its own."""
    halo = Halo(Random(1), int(NOW.timestamp() * 1000))
    wanted = derive(read_location(place))
    halo.agree(LOCATION, wanted, {f"c{n}": (f"Contact 000{n}", f"contact000{n}@example.com") for n in (1, 2, 3)})
    return halo.state


def _edit(doc: Document, name: str, value: Any) -> None:
    doc[name] = value


@st.composite
def halos(draw: st.DrawFn, place: Document) -> dict[str, list[Document]]:
    """A Halo in agreement with the location, then disturbed."""
    state = copy.deepcopy(agreed(place))
    names = ("Client", "Users", "SalesOrder", "Invoice", "InvoicePayment", "ExternalLink")
    ours = [(name, doc) for name in names for doc in state[name] if "ghl:" in repr(doc) or name in ("Client", "Users")]
    for number in range(draw(st.integers(0, 3))):
        _plant(draw, state, 80_000 + number)
    for _ in range(draw(st.integers(0, 5)) if ours else 0):
        name, doc = draw(st.sampled_from(ours))
        act = draw(st.sampled_from(["remove", "remove with links", "copy", "amount", "text amount", "rekey", "field"]))
        if act == "remove":
            state[name][:] = [other for other in state[name] if other["id"] != doc["id"]]
        elif act == "remove with links":
            state[name][:] = [other for other in state[name] if other["id"] != doc["id"]]
            state["ExternalLink"][:] = [link for link in state["ExternalLink"] if link["halo_id"] != doc["id"]]
        elif act == "copy" and name != "ExternalLink":
            state[name].append(copy.deepcopy(doc) | {"id": doc["id"] + 70_000})
        elif act in ("amount", "text amount") and name in ("SalesOrder", "Invoice", "InvoicePayment"):
            field = "amount" if name == "InvoicePayment" else "total"
            _edit(doc, field, "n/a" if act == "text amount" else draw(PLAIN))
        elif act == "rekey":
            _rekey(draw, name, doc)
        elif act == "field":
            _change(draw, name, doc)
    return state


def _rekey(draw: st.DrawFn, name: str, doc: Document) -> None:
    key = draw(KEYS)
    for field in KEY_FIELDS.get(name, ()):
        _edit(doc, field, key)


def _plant(draw: st.DrawFn, state: dict[str, list[Document]], native_id: int) -> None:
    """A record that nobody asked for, under some key."""
    name = draw(st.sampled_from(list(KEY_FIELDS)))
    document = {"id": native_id, "date": OLD, "invoice_date": OLD, "currency_code": draw(st.sampled_from([11, 32, 8])),
                "client_id": 1, "total": draw(PLAIN), "amount": draw(PLAIN)}  # fmt: skip
    if name == "ExternalLink":
        table = draw(st.sampled_from([2, 4, 995, 996, 7]))
        document = {"id": native_id, "table_id": table, "halo_id": draw(st.sampled_from([601, 602, 99_999])),
                    "third_party_secondary_id": draw(st.sampled_from([LOCATION, LOCATION, None, "Elsewhere"]))}  # fmt: skip
    key = draw(KEYS)
    state[name].append(document | {field: key for field in KEY_FIELDS[name]})


def _change(draw: st.DrawFn, name: str, doc: Document) -> None:
    if name in ("SalesOrder", "Invoice"):
        what = draw(st.sampled_from(["currency", "date", "client", "custom", "ship"]))
        if what == "currency":
            _edit(doc, "currency_code", draw(st.sampled_from([1, 2, 3, 999])))
        elif what == "date":
            _edit(doc, "date" if name == "SalesOrder" else "invoice_date", draw(CREATED))
        elif what == "client":
            _edit(doc, "client_id", draw(st.sampled_from([doc["client_id"] + 1, 999_999])))
        elif what == "custom" and doc.get("customfields"):
            draw(st.sampled_from(doc["customfields"]))["value"] = draw(st.sampled_from(["", None, "other"]))
        elif what == "ship":
            _edit(doc, "ship_status", draw(st.sampled_from(["fulfilled", "", None])))
    elif name == "InvoicePayment":
        _edit(doc, "date", draw(CREATED))
