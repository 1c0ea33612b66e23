"""Act! in full agreement with GHL: every desired record as Act!'s API shows it, and records of its own people.

Add a field here when the mapping writes one more; making Act! disagree belongs to `world_act_defects`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from ghl_payments.domain.money import major_text
from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.act_data import product_total
from ghl_payments.sandbox.act_write import link_of
from ghl_payments.sandbox.codec import Doc, encode
from ghl_payments.sandbox.oracle_act import Asked, ask
from ghl_payments.sandbox.oracle_ghl import Ledgers, instant
from ghl_payments.sandbox.oracle_records import Spot, WantedRecord
from ghl_payments.sandbox.world_act_defects import plant_all
from ghl_payments.sandbox.world_act_fields import ODD_COLUMN, columns, entities
from ghl_payments.sandbox.world_halo import order_lines
from ghl_payments.sandbox.world_values import DAY, number, stamp, stamp_of, uuid_text

CURRENCY = "USD"
"""The one currency of the seeded database."""

NATIVES = 6
_PUSH_TIME = timedelta(seconds=90)
_STRANGER = "0f0e0d0c-0000-4000-8000-0000000000ff"
"""Another user, whose private records nobody else sees."""


class ActWorld:
    """The Act! part of a world being written; `ours` holds each of our records by location and spot."""

    def __init__(self, rng: Random, now: int, switches: Any, identity: SandboxIdentity) -> None:
        self.rng = rng
        self.tables: bool = switches.act_custom_tables
        self._with_source_id = switches.act_source_id != "dropped"
        self._history_type = 1001
        self._now = now
        self.state: Doc = {
            "contacts": [], "opportunities": [], "history": [], "products": [], "custom": {},
            "fields": columns(tables=self.tables), "entities": entities(tables=self.tables), "currency": CURRENCY,
        }  # fmt: skip
        if self.tables:
            self.state["custom"] = {"GHL_PAYMENT": [], "GHL_SUBSCRIPTION": []}
        self.ours: dict[tuple[str, str, str], Doc] = {}
        self.test_orders: list[tuple[str, str, int, str]] = []

    def agree(self, books: Ledgers, people: Mapping[str, tuple[str, str]]) -> None:
        """Write every desired record of a location; `people` gives (name, e-mail) by contact id."""
        now = instant(stamp(self._now))
        asked = ask(books, now, tables=self.tables, currency=CURRENCY)
        place = books.location_id
        for spot, want in asked.records.items():
            if spot[0] == "contact":
                self._contact(place, spot[1], want.updated, people)
        for spot, want in asked.records.items():
            if spot[0] == "opportunity":
                self._opportunity(place, spot, want, asked, books)
        for spot, want in asked.records.items():
            if spot[0] in ("payment", "subscription"):
                self._money_record(place, spot, want, asked, books)
        for order in books.orders.values():
            if not order.live and order.minor:
                self.test_orders.append((place, order.id, order.minor, order.currency))

    def natives(self) -> None:
        """Records of Act!'s own people and of another integration; some are private to one of them."""
        for n in range(1, NATIVES + 1):
            when = stamp(self._now - self.rng.randrange(10, 300) * DAY)
            dates: Doc = {"created": when, "edited": when}
            contact = {"id": self.new_id(), "fullName": f"Native Person {n}", "firstName": "Native",
                       "lastName": f"Person {n}", "emailAddress": f"native{n}@example.com", "customFields": {},
                       **dates}  # fmt: skip
            opportunity = {
                "id": self.new_id(), "name": f"Machine {n}", "status": n % 4, "openDate": when, "source": "Web",
                "sourceId": f"SF-{1000 + n}" if n % 2 else None, "contacts": [link_of("contacts", contact)],
                "productTotal": Decimal(f"{n * 125}.0"), "customFields": {}, **dates,
            }  # fmt: skip
            history = {"id": self.new_id(), "regarding": f"Call about machine {n}", "details": "They will decide soon.",
                       "historyTypeID": 0, "startTime": when, "endTime": when, "opportunities": [],
                       "contacts": [link_of("contacts", contact)], **dates}  # fmt: skip
            if n == NATIVES:
                opportunity |= {"isPrivate": True, "recordManagerID": _STRANGER}
                history |= {"isPrivate": True, "recordManagerID": _STRANGER}
            self.state["contacts"].append(contact)
            self.state["opportunities"].append(opportunity)
            self.state["history"].append(history)

    def plant(self) -> None:
        """Break some records."""
        plant_all(self)

    def new_id(self) -> str:
        """A GUID."""
        return uuid_text(self.rng)

    def rows_of(self, record_type: str) -> list[Doc]:
        """The collection in which records of a type stand."""
        if record_type in ("payment", "subscription") and self.tables:
            rows: list[Doc] = self.state["custom"][f"GHL_{record_type.upper()}"]
        elif record_type == "payment":
            rows = self.state["history"]
        else:
            rows = self.state["contacts" if record_type == "contact" else "opportunities"]
        return rows

    def keep(self, place: str, record_type: str, key: str, doc: Doc) -> Doc:
        """Store a record of ours."""
        self.rows_of(record_type).append(doc)
        self.ours[place, record_type, key] = doc
        return doc

    def opportunity(self, place: str, key: str, name: str, status: int, custom: Doc) -> Doc:
        """A bare opportunity of ours."""
        given = {name: value for name, value in custom.items() if value not in (None, "")}
        if "ghl_tracking" in given:
            given[ODD_COLUMN.lower()] = given.pop("ghl_tracking")
        doc: Doc = {
            "id": self.new_id(), "name": name, "source": "GoHighLevel", "status": status, "contacts": [],
            "productTotal": Decimal("0.0"), "customFields": {"ghl_key": key, "ghl_location": place, **given},
        }  # fmt: skip
        return doc | ({"sourceId": key} if self._with_source_id else {})

    def _contact(self, place: str, key: str, updated: datetime, people: Mapping[str, tuple[str, str]]) -> Doc:
        contact_id = key.removeprefix("ghl:contact:")
        name, email = people.get(contact_id, (f"Contact {contact_id}", None))
        first, _, last = name.partition(" ")
        doc = {
            "id": self.new_id(), "fullName": name, "firstName": first, "lastName": last, "emailAddress": email,
            "customFields": {"ghl_key": key, "ghl_location": place}, **_dates(updated),
        }  # fmt: skip
        return self.keep(place, "contact", key, doc)

    def _links(self, place: str, spot: Spot, asked: Asked) -> list[Doc]:
        """The contact a record belongs to; one that only a payment needs is made for it."""
        key = asked.contacts[spot]
        contact = self.ours.get((place, "contact", key))
        if contact is None:
            contact = self._contact(place, key, asked.records[spot].updated, {})
        return [link_of("contacts", contact)]

    def _opportunity(self, place: str, spot: Spot, want: WantedRecord, asked: Asked, books: Ledgers) -> None:
        order, fields = books.orders[spot[1].rpartition(":")[2]], want.fields
        custom = {name: fields[name] for name in fields if name.startswith("ghl_")} | {
            "ghl_amount": major_text(order.minor or 0, order.currency), "ghl_updated_at": stamp_of(order.updated),
            "ghl_shipped_at": fields["ghl_shipped_at"] and stamp_of(fields["ghl_shipped_at"]),
        }  # fmt: skip
        doc = self.opportunity(place, spot[1], f"GHL order {order.id}", int(fields["status"]), custom)
        doc |= {
            "openDate": stamp_of(fields["open_date"]), "estimatedCloseDate": stamp_of(fields["open_date"]),
            "contacts": self._links(place, spot, asked), **_dates(want.updated),
        }  # fmt: skip
        if fields["close_date"]:
            doc["actualCloseDate"] = stamp_of(fields["close_date"])
        if order.currency == CURRENCY:
            lines = order_lines(order.doc, order.minor or 0)
            products = [self._product(doc, line, want.updated) for line in lines]
            doc["productTotal"] = product_total(products)
            self.state["products"] += products
        self.keep(place, "opportunity", spot[1], doc)

    def _product(self, opportunity: Doc, line: Doc, updated: datetime) -> Doc:
        product = {"name": line["name"], "price": line["price"], "quantity": line["quantity"],
                   "itemNumber": line["note"], "type": "GHL"}  # fmt: skip
        more = {"id": self.new_id(), "opportunityID": opportunity["id"], "total": product_total([product])}
        return product | more | _dates(updated)

    def _money_record(self, place: str, spot: Spot, want: WantedRecord, asked: Asked, books: Ledgers) -> None:
        """A payment or subscription in the form that the account has for it."""
        record_type, key = spot
        texts = {
            name: _text(value, str(want.currency))
            for name, value in want.fields.items()
            if value is not None and name not in ("contact", "state")
        } | {"updated_at": stamp_of(want.updated)}
        links = self._links(place, spot, asked)
        if self.tables:
            doc = self._row(place, key, want, texts)
            order = self._order_of(place, record_type, key, books)
            doc |= {"contacts": links, "opportunity": order and link_of("opportunities", order)}
        elif record_type == "payment":
            details = encode(dict(sorted({"location": place, **texts}.items()))).decode()
            doc = {"id": self.new_id(), "regarding": key, "details": details, "historyTypeID": self._history_type,
                   "startTime": texts["paid_at"], "endTime": texts["paid_at"], "contacts": links,
                   "opportunities": []}  # fmt: skip
        else:
            custom = {f"ghl_{name}": text for name, text in texts.items() if name not in ("starts_at", "ends_at")}
            doc = self.opportunity(place, key, "Subscription", int(want.fields["state"]), custom)
            doc |= {"openDate": texts["starts_at"], "estimatedCloseDate": texts.get("ends_at"), "contacts": links}
        self.keep(place, record_type, key, doc | _dates(want.updated))

    def _row(self, place: str, key: str, want: WantedRecord, texts: Mapping[str, str]) -> Doc:
        amounts = {
            name: number(want.fields[name], str(want.currency))
            for name in ("amount", "refunded")
            if want.fields.get(name) is not None
        }
        ids = {"id": self.new_id(), "ghl_id": key, "ghl_location": place, "companies": [], "groups": []}
        return ids | dict(texts) | amounts

    def _order_of(self, place: str, record_type: str, key: str, books: Ledgers) -> Doc | None:
        txn = books.transactions.get(key.rpartition(":")[2]) if record_type == "payment" else None
        order_id = txn.entity_id if txn and txn.entity_type == "order" else ""
        return self.ours.get((place, "opportunity", f"ghl:order:{order_id}"))


def _text(value: Any, currency: str) -> str:
    if isinstance(value, datetime):
        return stamp_of(value)
    return major_text(value, currency) if isinstance(value, int) else str(value)


def _dates(updated: datetime) -> Doc:
    when = stamp_of(updated + _PUSH_TIME)
    return {"created": when, "edited": when}
