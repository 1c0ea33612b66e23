"""What a state document says about Halo: which record carries which of our keys, and what it says.

Add a compared field here under the name it has in `oracle_desired`; what a difference means belongs to `oracle`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ghl_payments.domain.keys import parse_key
from ghl_payments.domain.money import CURRENCY_EXPONENTS
from ghl_payments.sandbox.oracle_ghl import Document, Ledgers, instant

RECORD_TYPES = {
    "client": "Client",
    "user": "Users",
    "sales_order": "SalesOrder",
    "invoice": "Invoice",
    "invoice_payment": "InvoicePayment",
}
_TYPE_OF_TABLE = {2: "client", 4: "user", 995: "invoice", 996: "sales_order"}
_KINDS = {
    "client": ("contact",),
    "user": ("contact",),
    "sales_order": ("order",),
    "invoice": ("order", "invoice", "txn"),
    "invoice_payment": ("txn",),
}
_KEY_FIELDS = {
    "client": (),
    "user": (),
    "sales_order": ("po_number",),
    "invoice": ("thirdpartyinvoicenumber",),
    "invoice_payment": ("intent_id", "thirdpartyid"),
}
_PARENTS = {
    "client": (),
    "user": (("client", "client_id"),),
    "sales_order": (("client", "client_id"),),
    "invoice": (("sales_order", "salesorder_id"), ("client", "client_id")),
    "invoice_payment": (("invoice", "invoice_id"), ("client", "client_id")),
}
_CUSTOM_FIELDS = {
    "amount_text": "CFGHLAmount",
    "currency_text": "CFGHLCurrency",
    "status": "CFGHLStatus",
    "subscription_status": "CFGHLSubscriptionStatus",
    "fulfillments": "CFGHLFulfillments",
    "tracking": "CFGHLTracking",
}

_CONTACT = "ghl:contact:"

Place = tuple[str, str, str]
"""(location id, record type, key)."""


class Halo:
    """Halo's records by place, cross-references whose record is gone, and the values we compare."""

    def __init__(self, state: Mapping[str, list[Document]], ledgers: Mapping[str, Ledgers]) -> None:
        self._ledgers = ledgers
        self._only = next(iter(ledgers)) if len(ledgers) == 1 else None
        self.records = {
            record_type: {doc["id"]: doc for doc in state.get(resource) or ()}
            for record_type, resource in RECORD_TYPES.items()
        }
        self.currencies = {row["id"]: row["code"] for row in state.get("Currency") or ()}
        self._links: dict[tuple[str, int], list[Document]] = {}
        self.gone: set[Place] = set()
        self._read_links(state.get("ExternalLink") or ())
        self.places: dict[Place, list[Document]] = {}
        self._client_keys: dict[int, set[str]] = {}
        for record_type, docs in self.records.items():
            for doc in docs.values():
                self._place(record_type, doc)

    def _read_links(self, links: Iterable[Document]) -> None:
        for link in links:
            record_type = _TYPE_OF_TABLE.get(link.get("table_id") or 0)
            if record_type and _is_ours(record_type, link.get("third_party_id")):
                self._links.setdefault((record_type, link["halo_id"]), []).append(link)
                location = link.get("third_party_secondary_id") or self._only
                if link["halo_id"] not in self.records[record_type] and location:
                    self.gone.add((location, record_type, self._canonical(location, link["third_party_id"])))

    def _place(self, record_type: str, doc: Document) -> None:
        links = self._links.get((record_type, doc["id"]), ())
        carried = [(link["third_party_id"], link.get("third_party_secondary_id")) for link in links]
        carried += [(doc[name], None) for name in _KEY_FIELDS[record_type] if _is_ours(record_type, doc.get(name))]
        if not carried:
            return
        default = None if all(given for _, given in carried) else self.location_of(record_type, doc)
        places = {
            (location, record_type, self._canonical(location, key))
            for key, given in carried
            if (location := given or default)
        }
        for place in places:
            self.places.setdefault(place, []).append(doc)
            if record_type == "client":
                self._client_keys.setdefault(doc["id"], set()).add(place[2])

    def location_of(self, record_type: str, doc: Document) -> str | None:
        """The location a record belongs to: its own cross-reference's, its parents', the only one; None if unknown."""
        for link in self._links.get((record_type, doc["id"]), ()):
            if link.get("third_party_secondary_id"):
                return str(link["third_party_secondary_id"])
        for parent_type, name in _PARENTS[record_type]:
            parent = self.records[parent_type].get(doc.get(name))
            location = self.location_of(parent_type, parent) if parent else None
            if location:
                return location
        return self._only

    def _canonical(self, location: str, key: str) -> str:
        if not key.startswith(_CONTACT) or location not in self._ledgers:
            return key
        return f"{_CONTACT}{self._ledgers[location].canonical(key.removeprefix(_CONTACT))}"

    def amount(self, record_type: str, doc: Document) -> int | Decimal | None:
        """The record's amount in major units as Halo holds it; None when it is not a number."""
        value = doc.get("amount" if record_type == "invoice_payment" else "total")
        return value if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else None

    def readable(self, record_type: str, doc: Document) -> bool:
        """Whether the record's amount can be read; clients and users have none."""
        return record_type in ("client", "user") or self.amount(record_type, doc) is not None

    def currency(self, record_type: str, doc: Document) -> str | None:
        """The ISO code of a record's currency; a payment has its invoice's."""
        if record_type == "invoice_payment":
            invoice = self.records["invoice"].get(doc.get("invoice_id"))
            return self.currency("invoice", invoice) if invoice else None
        return self.currencies.get(doc.get("currency_code"))

    def minor(self, record_type: str, doc: Document, currency: str) -> int | None:
        """The record's amount rounded (half away from zero) to the minor unit of a currency."""
        amount = self.amount(record_type, doc)
        if amount is None or currency not in CURRENCY_EXPONENTS:
            return None
        return int(Decimal(amount).scaleb(CURRENCY_EXPONENTS[currency]).quantize(Decimal(1), ROUND_HALF_UP))

    def fields(self, record_type: str, doc: Document, currency: str) -> dict[str, Any]:
        """The compared fields of a record; amounts in minor units of `currency`, dates as instants or raw text."""
        if record_type == "invoice_payment":
            return {"amount": self.minor(record_type, doc, currency), "date": _instant_or_text(doc.get("date"))}
        if record_type not in ("sales_order", "invoice"):
            return {}
        common: dict[str, Any] = {
            "total": self.minor(record_type, doc, currency),
            "currency": self.currency(record_type, doc),
            "client": self._client_keys.get(doc.get("client_id") or 0, frozenset()),
        }
        if record_type == "invoice":
            return {**common, "invoice_date": _instant_or_text(doc.get("invoice_date"))}
        custom = {row["name"]: row.get("value") for row in doc.get("customfields") or ()}
        dates = {name: _instant_or_text(doc.get(name)) for name in ("date", "ship_date")}
        written = {name: custom.get(custom_name) for name, custom_name in _CUSTOM_FIELDS.items()}
        return {**common, **written, **dates, "ship_status": doc.get("ship_status")}


def _is_ours(record_type: str, key: object) -> bool:
    parsed = parse_key(key) if isinstance(key, str) else None
    return parsed is not None and parsed[0] in _KINDS[record_type]


def _instant_or_text(text: object) -> object:
    try:
        return instant(text).replace(microsecond=0)
    except ValueError:
        return text
