"""Cash as payments of GHL's orders: by what one is known again, what is due, what forbids it, and its body. Pure.

Add a doubt here when a payment must not be recorded for a further reason; requests belong to `cash.py`, which
collections are wanted at all to `sql/reconciliation/canonical_collections.sql`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ghl_payments.connectors.base import DesiredRecord
from ghl_payments.connectors.ghl.bodies import Body, is_live, refusal
from ghl_payments.domain.money import MoneyError, major_decimal, major_text, parse_major
from ghl_payments.transport.jsontext import encode

Document = Mapping[str, Any]

PATH = "/payments/orders/{id}/record-payment"

TAKEN_FOR = timedelta(days=1)
"""From so long before a collection on, a payment without our marker may be it: clocks and time zones differ, and to
record the same cash twice is worse than to leave it to a person."""

_MARK = "[ghl_payments "
_CHARGED = ("succeeded", "refunded")
_CANCELLED = ("canceled", "cancelled")


@dataclass(frozen=True, slots=True)
class Payment:
    """Cash to be recorded: `minor` units of `currency`, collected at an instant (UTC) if that is known."""

    key: str
    order_id: str
    minor: int
    currency: str
    note: str
    collected_at: datetime | None

    @property
    def since(self) -> datetime | None:
        """No payment of the order from before this instant is it; None where that is not known."""
        return self.collected_at and self.collected_at - TAKEN_FOR


def payment_of(record: DesiredRecord) -> Payment:
    """The payment that a desired record asks for. Raises Rejected when its canonical fields cannot be used."""
    fields = record.fields
    order_id, currency, amount = fields.get("order_id"), fields.get("currency"), fields.get("amount") or ""
    if not order_id or not currency or not amount.isdigit() or int(amount) == 0:
        raise refusal(record, PATH, "a payment needs an order and an amount above zero in a currency.")
    if fields.get("mode") != "cash":
        raise refusal(record, PATH, "only cash is recorded.")
    return Payment(
        record.key, order_id, int(amount), currency, fields.get("note") or "", _instant(fields.get("collected_at"))
    )


def marker(key: str) -> str:
    """What stands in a payment's notes and meta, so that it is known again."""
    return f"{_MARK}{key}]"


def payment_body(payment: Payment, due_minor: int) -> Body:
    """The request, without the account; the amount is exact."""
    mark = marker(payment.key)
    return {
        "mode": "cash",
        "amount": major_decimal(payment.minor, payment.currency),
        "notes": f"{payment.note} {mark}".strip(),
        "meta": {"ghl_payments": mark},
        "isPartialPayment": payment.minor < due_minor,
    }


def recorded_as(payment: Payment, transactions: Iterable[Document]) -> list[str]:
    """Ids of the order's transactions that carry the payment's marker, oldest first."""
    return [str(doc["_id"]) for doc in sorted(transactions, key=_age) if _is_done(doc) and _is_marked(payment, doc)]


def perhaps_recorded_as(payment: Payment, transactions: Iterable[Document]) -> list[str]:
    """Ids of the order's transactions that may be the payment, oldest first: just its amount, no marker, not older.

    What GHL shows of a payment that was recorded by hand is not documented, so that neither a mode nor a provider nor
    a charge, nor whether it is live, says that a payment is not this one.
    """
    return [str(doc["_id"]) for doc in sorted(transactions, key=_age) if _is_done(doc) and _may_be(payment, doc)]


def needs_detail(doc: Document, since: datetime | None) -> bool:
    """Whether a list shows a payment from `since` on without saying whose it is; then its detail may say more."""
    made = _instant(doc.get("createdAt"))
    return _is_done(doc) and _MARK not in _marks(doc) and (since is None or made is None or made >= since)


def due_minor(payment: Payment, order: Document, transactions: Iterable[Document]) -> int | str:
    """What the order still lacks, in minor units, when this payment may be recorded; else why it may not, in words."""
    charges = _first_of_subscriptions(doc for doc in transactions if doc.get("status") in _CHARGED)
    if order.get("currency") != payment.currency:
        return f"it was collected in {payment.currency}, its order is in another currency."
    if any(doc.get("currency") != payment.currency for doc in charges):
        return "a payment of its order is in another currency."
    try:
        due = _minor(order.get("amount"), payment.currency) - sum(
            _minor(d.get("amount"), payment.currency) for d in charges
        )
        is_refunded = any(_refunded(doc, payment.currency) for doc in charges)
    except MoneyError:
        return "its order or a payment of it has an amount that cannot be read exactly."
    return _forbidden(payment, order, due, is_refunded=is_refunded) or due


def _forbidden(payment: Payment, order: Document, due: int, *, is_refunded: bool) -> str | None:
    if not is_live(order):
        return "its order is in test mode."
    if str(order.get("status")).lower() in _CANCELLED:
        return "its order was cancelled."
    if is_refunded or order.get("paymentStatus") == "refunded":
        return "a payment of its order was paid back; a person must say what is due."
    if due <= 0 or order.get("paymentStatus") == "paid":
        return "its order is already paid in GHL."
    if payment.minor > due:
        told, left = (major_text(minor, payment.currency) for minor in (payment.minor, due))
        return f"more was collected ({payment.currency} {told}) than is due in GHL ({left})."
    return None


def _refunded(doc: Document, currency: str) -> bool:
    return doc.get("status") == "refunded" or _minor(doc.get("amountRefunded") or 0, currency) > 0


def with_detail(listed: Document, detail: Document) -> Document:
    """A list's row with what only the transaction's detail shows."""
    return {**listed, **{name: detail[name] for name in ("meta", "notes", "markAsTest") if name in detail}}


def _is_marked(payment: Payment, doc: Document) -> bool:
    return marker(payment.key) in _marks(doc)


def _may_be(payment: Payment, doc: Document) -> bool:
    if doc.get("status") != "succeeded" or not needs_detail(doc, payment.since):
        return False
    try:
        return doc.get("currency") == payment.currency and _minor(doc.get("amount"), payment.currency) == payment.minor
    except MoneyError:
        return False


def _first_of_subscriptions(charges: Iterable[Document]) -> list[Document]:
    """Without renewals, which pay for themselves."""
    first: dict[str, Document] = {}
    kept = []
    for doc in sorted(charges, key=_age):
        subscription = doc.get("subscriptionId")
        if not subscription or first.setdefault(str(subscription), doc) is doc:
            kept.append(doc)
    return kept


def _is_done(doc: Document) -> bool:
    return bool(doc.get("_id")) and doc.get("status") in _CHARGED


def _age(doc: Document) -> tuple[str, str]:
    return str(doc.get("createdAt") or ""), str(doc.get("_id") or "")


def _marks(doc: Document) -> str:
    return " ".join(
        part if isinstance(part, str) else encode(part).decode()
        for part in (doc.get("notes"), _part(doc, "chargeSnapshot").get("notes"), doc.get("meta"))
        if part is not None
    )


def _minor(amount: object, currency: str) -> int:
    return parse_major(str(amount), currency).minor


def _instant(text: object) -> datetime | None:
    try:
        value = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def _part(doc: Document, name: str) -> Document:
    part = doc.get(name)
    return part if isinstance(part, dict) else {}
