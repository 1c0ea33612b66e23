"""What must hold between GHL's own orders and transactions, and which orders and transactions break it.

Add an invariant here; comparisons with a target belong to `oracle`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from ghl_payments.domain.keys import ghl_key
from ghl_payments.sandbox.oracle_ghl import CHARGED, Ledgers, Order, Transaction
from ghl_payments.sandbox.oracle_rows import LAG, Row, make_row


class Broken(NamedTuple):
    """One broken invariant: the record a person would open, and the money at stake."""

    record_type: str
    id: str
    live: bool
    kind: str
    minor: int | None
    currency: str


def judge_invariants(books: Mapping[str, Ledgers], now: datetime) -> Iterator[Row]:
    """A row for every broken invariant of every location."""
    for location_id, ledgers in books.items():
        for one in broken(ledgers, lambda updated: now - updated >= LAG):
            yield make_row(
                location_id,
                one.record_type,
                ghl_key("order" if one.record_type == "order" else "txn", one.id),
                one.kind,
                system="ghl",
                live=one.live,
                minor=one.minor,
                currency=one.currency,
            )


def broken(books: Ledgers, settled: Callable[[datetime], bool]) -> Iterator[Broken]:
    """Every broken invariant of a location; `settled` says whether an instant is past the lag window."""
    of_order: dict[str, list[Transaction]] = {}
    for txn in books.transactions.values():
        if txn.entity_type == "order" and txn.entity_id:
            of_order.setdefault(txn.entity_id, []).append(txn)
    blocked = {
        str(doc.get("entityId")) for doc in books.unreadable_transactions.values() if doc.get("entityType") == "order"
    }
    for order in books.orders.values():
        attached = of_order.get(order.id, [])
        if order.minor and order.id not in blocked and settled(order.updated) and _exact(attached):
            yield from _order(order, order.minor, attached)
    for order_id, transactions in of_order.items():
        if order_id not in books.orders and order_id not in books.unreadable_orders:
            yield from _ownerless(transactions, settled)


def _exact(attached: Iterable[Transaction]) -> bool:
    return all(txn.minor is not None and txn.refunded is not None for txn in attached)


def _ownerless(transactions: Iterable[Transaction], settled: Callable[[datetime], bool]) -> Iterator[Broken]:
    for txn in transactions:
        if txn.charge and settled(txn.updated):
            yield Broken("transaction", txn.id, txn.live, "transaction_without_order", txn.minor, txn.currency)


def _order(order: Order, amount: int, attached: Iterable[Transaction]) -> Iterator[Broken]:
    charges = [
        txn
        for txn in attached
        if txn.live == order.live and txn.status in CHARGED and not txn.renewal and (txn.minor or 0) >= 0
    ]
    paid = sum(txn.minor or 0 for txn in charges)
    refunded = sum(txn.refunded or 0 for txn in charges)
    verdict = _verdict(order, amount, charges, paid, refunded)
    if verdict:
        kind, stake = verdict
        yield Broken("order", order.id, order.live, kind, stake, order.currency)


def _verdict(order: Order, amount: int, charges: list[Transaction], paid: int, refunded: int) -> tuple[str, int] | None:
    status = order.payment_status
    if not charges:
        claims_payment = status in ("paid", "partially_paid", "refunded")
        return ("paid_without_transaction", amount) if claims_payment else None
    if any(txn.currency != order.currency for txn in charges):
        return "amount_not_tied", amount
    if paid > amount or (status in ("paid", "refunded") and paid != amount):
        return "amount_not_tied", abs(paid - amount)
    disagrees = (
        (status == "unpaid" and paid > 0)
        or (status == "partially_paid" and paid == amount)
        or (status == "paid" and refunded == paid > 0)
        or (status == "refunded" and refunded < paid)
    )
    return ("payment_status_disagrees", amount) if disagrees else None
