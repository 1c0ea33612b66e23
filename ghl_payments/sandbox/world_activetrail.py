"""ActiveTrail in a seeded world: in full agreement with GHL first, then with contacts and orders that went astray.

Add a field here when the mapping writes one more, and a way to go astray as one more function of `_CONTACT_DEFECTS` or
`_ORDER_DEFECTS`; what must be reported of it is said by `oracle_activetrail`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any

from ghl_payments.domain.keys import parse_key
from ghl_payments.domain.money import exponent
from ghl_payments.domain.sandbox_identity import SandboxIdentity
from ghl_payments.sandbox.clock import iso_ms
from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.oracle_activetrail import (
    GROUP,
    KEY_SLOT,
    LOCATION_SLOT,
    ORDER_PLACES,
    SLOTS,
    contact_fields,
    wanted_of,
)
from ghl_payments.sandbox.oracle_ghl import Ledgers
from ghl_payments.sandbox.oracle_records import WantedRecord
from ghl_payments.sandbox.oracle_rollups import RollupRecord, rollups
from ghl_payments.sandbox.vendor import People
from ghl_payments.sandbox.world_values import DAY, number

OWN_GROUP, OTHER_GROUP = 1, 2
FIRST_OWN, NATIVES = 10_001, 30
EACH = 500
"""So many orders of ours for each further record of a sort that goes astray."""

LABELS = {
    KEY_SLOT: "GHL contact",
    LOCATION_SLOT: "GHL location",
    **{slot: f"GHL {name.replace('_', ' ')}" for name, slot in SLOTS.items()},
    "ext1": "Shirt size",
    "date1": "Member since",
}


class ActiveTrailWorld:
    """One account shared by all locations; `state` is its part of the state document."""

    def __init__(self, rng: Random, now_ms: int, switches: Any, identity: SandboxIdentity) -> None:
        self._rng = rng
        self._now_ms = now_ms
        self._now = datetime.fromisoformat(iso_ms(now_ms))
        self._has_commerce = switches.activetrail_commerce == "available"
        self._next = FIRST_OWN
        self._contacts: list[Doc] = []
        self._orders: list[Doc] = []
        self._tests: list[Doc] = []
        created = iso_ms(now_ms - 400 * DAY)
        self.state: Doc = {
            "contacts": [],
            "groups": [
                {"id": OWN_GROUP, "name": GROUP, "created": created},
                {"id": OTHER_GROUP, "name": "Newsletter", "created": created},
            ],
            "members": [],
            "pairs": [],
            "orders": [],
            "labels": [_label(name) for name in _columns()],
        }

    def agree(self, books: Ledgers, people: People) -> None:
        """Every contact and order of one location as its connector would have written it."""
        wanted, _ = wanted_of(books, self._now, commerce=self._has_commerce)
        contacts = {}
        for key, rollup in rollups(books, self._now).items():
            if ("contact", key) in wanted:
                contacts[rollup.contact_id] = self._contact(books.location_id, rollup)
        for order in books.orders.values():
            if not order.live and order.minor and self._has_commerce:
                amount = number(order.minor, order.currency)
                test = {"orderId": order.id, "totalAmount": amount, "ext2": order.currency, "ext9": books.location_id}
                self._tests.append(test)
        for (record_type, key), want in wanted.items():
            if record_type == "commerce_order":
                self._order(books.location_id, key, want, contacts.get(want.fields["contact_id"], {}))

    def natives(self) -> None:
        """Subscribers of a newsletter, one of them in our group as well, and orders of another shop."""
        for n in range(1, NATIVES + 1):
            contact = {
                "id": n, "email": f"reader{n}@example.net", "first_name": "Reader", "last_name": f"{n:02d}",
                "ext1": "M", "_created": iso_ms(self._now_ms - (500 - n) * DAY),
            }  # fmt: skip
            self.state["contacts"].append(contact)
            self.state["members"].append([OTHER_GROUP, n])
        self.state["members"].append([OWN_GROUP, NATIVES])
        if self._has_commerce:
            self.state["orders"] += [
                {"orderId": f"SHOP-{n}", "orderName": f"Shop order {n}", "totalAmount": Decimal("19.5"), "ext2": "USD"}
                for n in range(1, 6)
            ]

    def plant(self) -> None:
        """Each way to go astray once for so many orders, always on another record."""
        for defects, docs in ((_CONTACT_DEFECTS, self._contacts), (_ORDER_DEFECTS, self._orders)):
            rounds = 1 + len(docs) // EACH
            # A small world keeps most of its records in order.
            chosen = self._rng.sample(docs, min(len(docs) // 4, rounds * len(defects)))
            for n, doc in enumerate(chosen):
                defects[n % len(defects)](self.state, doc)
        self.state["orders"] += self._tests[: len(self._orders) // EACH]

    def _contact(self, location_id: str, rollup: RollupRecord) -> Doc:
        contact_id, self._next = self._next, self._next + 1
        doc = {
            "id": contact_id,
            "email": rollup.email,
            "first_name": rollup.first_name,
            "last_name": rollup.last_name,
            "phone1": rollup.phone,
            "sms": None if rollup.email else rollup.phone,
            KEY_SLOT: rollup.key,
            LOCATION_SLOT: location_id,
            **_slots(contact_fields(rollup)),
            "_created": f"{rollup.created_at:%Y-%m-%dT%H:%M:%SZ}",
        }
        self.state["contacts"].append(doc)
        self.state["members"].append([OWN_GROUP, contact_id])
        pair = {"contact_id": contact_id, "external_id": rollup.contact_id, "external_name": "ghl"}
        self.state["pairs"].append(pair)
        self._contacts.append(doc)
        return doc

    def _order(self, location_id: str, key: str, want: WantedRecord, contact: Mapping[str, Any]) -> None:
        _, order_id = parse_key(key) or ("", "")
        fields = want.fields
        doc = {
            "orderId": order_id,
            "orderName": order_id,
            "externalName": "ghl",
            "firstName": contact.get("first_name"),
            "lastName": contact.get("last_name"),
            "email": contact.get("email"),
            "mobile": contact.get("sms"),
            "totalAmount": number(int(want.minor or 0), str(want.currency)),
            "lastUpdate": f"{want.updated:%Y-%m-%d}T12:00:00",
            **{place: fields[name] for name, place in ORDER_PLACES.items()},
            "purchaseDate": f"{fields['purchase_date']}T12:00:00",
            "ext9": location_id,
        }
        self.state["orders"].append(doc)
        self._orders.append(doc)


def _slots(fields: Mapping[str, Any]) -> Doc:
    return {
        slot: f"{fields[name]}T12:00:00" if slot.startswith("date") and fields[name] else fields[name]
        for name, slot in SLOTS.items()
    }


def _columns() -> tuple[str, ...]:
    return (*(f"ext{n}" for n in range(1, 26)), *(f"num{n}" for n in range(1, 6)), *(f"date{n}" for n in range(1, 6)))


def _label(name: str) -> Doc:
    column = name.capitalize()
    return {"field_name": column, "field_source_column": column, "field_display_name": LABELS.get(name, column)}


def _taken_out(state: Doc, contact: Doc) -> None:
    state["members"].remove([OWN_GROUP, contact["id"]])


def _gone(state: Doc, contact: Doc) -> None:
    _taken_out(state, contact)
    state["contacts"].remove(contact)
    state["pairs"][:] = [pair for pair in state["pairs"] if pair["contact_id"] != contact["id"]]


def _binned(state: Doc, contact: Doc) -> None:
    contact["is_deleted"] = True


def _doubled(state: Doc, contact: Doc) -> None:
    twin = {**contact, "id": max(doc["id"] for doc in state["contacts"]) + 1, "email": f"second.{contact['email']}"}
    state["contacts"].append(twin)
    state["members"].append([OWN_GROUP, twin["id"]])


def _slot(name: str, change: Callable[[Any], Any]) -> Callable[[Doc, Doc], None]:
    def plant(state: Doc, contact: Doc) -> None:
        contact[SLOTS[name]] = change(contact.get(SLOTS[name]))

    return plant


_CONTACT_DEFECTS: tuple[Callable[[Doc, Doc], None], ...] = (
    _slot("lifetime", lambda value: (value or 0) + 700),
    _slot("billing_status", lambda value: "paused" if value != "paused" else "active"),
    _gone,
    _slot("currency", lambda value: "CHF" if value != "CHF" else "EUR"),
    _slot("order_count", lambda value: (value or 0) + 2),
    _taken_out,
    _slot("last_order_date", lambda value: "2020-02-29T12:00:00"),
    _slot("last_order_id", lambda value: None if value else "unknown"),
    _doubled,
    _binned,
    _slot("lifetime_text", lambda value: f"{value or ''}0"),
    _slot("next_billing_date", lambda value: None if value else "2031-01-01T12:00:00"),
)


def _lost(state: Doc, order: Doc) -> None:
    state["orders"].remove(order)


def _dearer(state: Doc, order: Doc) -> None:
    step = Decimal(1).scaleb(-exponent(order["ext2"]))
    order["totalAmount"] = order["totalAmount"] + step


def _set(place: str, change: Callable[[Any], Any]) -> Callable[[Doc, Doc], None]:
    def plant(state: Doc, order: Doc) -> None:
        order[place] = change(order.get(place))

    return plant


_ORDER_DEFECTS: tuple[Callable[[Doc, Doc], None], ...] = (
    _lost,
    _dearer,
    _set("ext1", lambda value: "open" if value != "open" else "completed"),
    _set("ext2", lambda value: "CHF" if value != "CHF" else "EUR"),
    _set("ext3", lambda value: None if value else "paid"),
    _set("num1", lambda value: (value or 0) + 1),
    _set("num2", lambda value: None if value else 100),
    _set("externalId", lambda value: f"{value}x"),
    _set("ext5", lambda value: None if value else "DHL 123"),
    _set("ext8", lambda value: None if value else "active"),
    _set("purchaseDate", lambda value: "2020-02-29T12:00:00"),
    _set("totalAmount", lambda value: None),
)
