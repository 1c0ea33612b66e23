"""The records of one sandboxed ActiveTrail account: contacts, groups, external ids, commerce orders, field labels.

Requests belong to `activetrail`, rules of writing to `activetrail_contacts` and `activetrail_orders`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ghl_payments.sandbox.codec import Doc, encode
from ghl_payments.sandbox.journal import History

SLOTS = (
    *(f"ext{n}" for n in range(1, 26)),
    *(f"date{n}" for n in range(1, 6)),
    *(f"num{n}" for n in range(1, 6)),
)
TEXTS = ("email", "sms", "first_name", "last_name", "city", "fax", "phone1", "phone2", "street", "zip_code")
CONTACT_FIELDS = ("id", *TEXTS, "anniversary", "birthday", *SLOTS, "is_deleted", "state", "is_optined")
"""What an answered contact has, always all of it."""

ORDER_FIELDS = (
    "orderId", "orderName", "externalId", "externalName", "firstName", "lastName", "email", "mobile", "netAmount",
    "tax", "coupon", "totalAmount", "quantity", "products", "address", "city", "url", "purchaseDate", "lastUpdate",
    "purchaseType", "storeId", "locationType", *(f"ext{n}" for n in range(1, 11)), *(f"num{n}" for n in range(1, 6)),
    *(f"date{n}" for n in range(1, 4)),
)  # fmt: skip
ORDER_NAME = {name.lower(): name for name in ORDER_FIELDS}
"""Names are bound in any case and answered in that of the POST."""


class Rows:
    """Documents by key; a changed document is put in place of the old one, never altered."""

    def __init__(self) -> None:
        self._docs: dict[Any, Any] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._docs

    def __iter__(self) -> Iterator[Any]:
        return iter(self._docs)

    def get(self, key: Any) -> Any:
        """One document, None for none."""
        return self._docs.get(key)

    def values(self) -> Iterable[Any]:
        """All documents."""
        return self._docs.values()

    def replace(self, key: Any, value: Any) -> Any:
        """Put or (None) remove one document; the one before."""
        old = self._docs.pop(key, None)
        if value is not None:
            self._docs[key] = value
        return old


class ActiveTrailData:
    """One account's records; `members` are keyed by (group id, contact id), `pairs` by contact id."""

    def __init__(self) -> None:
        self.contacts = Rows()
        self.groups = Rows()
        self.members = Rows()
        self.pairs = Rows()
        self.orders = Rows()
        self.labels: list[Doc] = []
        self._first = {"contacts": 1, "groups": 1}
        self._next = dict(self._first)

    def next_id(self, name: str) -> int:
        """A fresh id for a contact or a group."""
        self._next[name] += 1
        return self._next[name] - 1

    def rewind(self) -> None:
        """Ids begin again where they did when the data was loaded."""
        self._next = dict(self._first)

    def loaded(self) -> None:
        """Take the highest ids as what new ones follow."""
        for name, rows in (("contacts", self.contacts), ("groups", self.groups)):
            self._first[name] = max((int(key) for key in rows), default=0) + 1
        self.rewind()

    def members_of(self, group_id: int) -> list[Doc]:
        """A group's contacts, the oldest first."""
        ids = sorted(contact_id for group, contact_id in self.members if group == group_id)
        return [doc for contact_id in ids if (doc := self.contacts.get(contact_id)) is not None]

    def all_contacts(self) -> list[Doc]:
        """Every contact of the account, the oldest first."""
        return sorted(self.contacts.values(), key=lambda doc: int(doc["id"]))

    def contact_by(self, name: str, value: object) -> Doc | None:
        """The contact with this e-mail address or mobile number, in any spelling."""
        wanted = spelled(name, value)
        if not wanted:
            return None
        return next((doc for doc in self.contacts.values() if spelled(name, doc.get(name)) == wanted), None)

    def write(self, history: History, doc: Doc) -> Doc:
        """Put one contact in place."""
        history.write(self.contacts, doc["id"], doc)
        return doc

    def dump(self) -> bytes:
        """The `activetrail` part of the sandbox state, encoded."""
        return encode({
            "contacts": self.all_contacts(),
            "groups": sorted(self.groups.values(), key=lambda doc: int(doc["id"])),
            "members": [list(key) for key in sorted(self.members)],
            "pairs": [
                {"contact_id": contact_id, "external_id": pair[0], "external_name": pair[1]}
                for contact_id, pair in sorted((key, self.pairs.get(key)) for key in self.pairs)
            ],
            "orders": sorted(self.orders.values(), key=lambda doc: str(doc["orderId"])),
            "labels": self.labels,
        })  # fmt: skip


def spelled(name: str, value: object) -> str:
    """An address without case, a number without all but its digits."""
    text = value if isinstance(value, str) else ""
    return text.strip().lower() if name == "email" else "".join(sign for sign in text if sign.isdigit()).lstrip("0")


def load_activetrail(part: Doc, now: str) -> ActiveTrailData:
    """Take over the `activetrail` part of a state and use it up; missing ids and dates of creation are filled in."""
    data = ActiveTrailData()
    for name, rows in (("contacts", data.contacts), ("groups", data.groups)):
        docs = part.pop(name, None) or []
        taken = max((int(doc["id"]) for doc in docs if doc.get("id")), default=0)
        for doc in docs:
            if not doc.get("id"):
                taken += 1
                doc["id"] = taken
            doc.setdefault("_created" if name == "contacts" else "created", now)
            rows.replace(int(doc["id"]), doc)
    for group_id, contact_id in part.pop("members", None) or []:
        data.members.replace((group_id, contact_id), True)
    for pair in part.pop("pairs", None) or []:
        data.pairs.replace(pair["contact_id"], (pair["external_id"], pair["external_name"]))
    for doc in part.pop("orders", None) or []:
        data.orders.replace(str(doc["orderId"]), doc)
    data.labels = part.pop("labels", None) or []
    data.loaded()
    return data


def shown_contact(doc: Doc) -> Doc:
    """A contact as the API answers it."""
    usual = {"is_deleted": False, "state": "Active", "is_optined": True}
    return {name: doc.get(name, usual.get(name)) for name in CONTACT_FIELDS}


def shown_order(doc: Doc) -> Doc:
    """A commerce order as the API answers it."""
    return {name: doc.get(name) for name in ORDER_FIELDS}
