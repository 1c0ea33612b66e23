"""What a location's documents say about its contacts: the newest snapshot of an order, else names in lists.

Add a fact about a person here when a target shows it; which contacts a target needs belongs to `oracle_rollups`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ghl_payments.sandbox.oracle_ghl import Document, Ledgers, instant

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Person:
    """A contact as GHL shows it; each field is the newest that any document has."""

    name: str
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None


def persons(books: Ledgers) -> dict[str, Person]:
    """Every contact that an order or a transaction of the location names, by its present id."""
    seen: dict[str, list[tuple[tuple[int, datetime], dict[str, str | None]]]] = {}
    for stream in ("orders", "transactions"):
        for doc in books.source.get(stream) or ():
            contact = books.canonical(doc.get("contactId"))
            if contact:
                rows = seen.setdefault(contact, [])
                rows.append(((0, _seen(doc)), _listed(doc)))
                if stream == "orders":
                    rows.append(((1, _seen(doc)), _snapshot(doc)))
    return {contact: _person(contact, rows) for contact, rows in seen.items()}


def _person(contact: str, rows: list[tuple[tuple[int, datetime], dict[str, str | None]]]) -> Person:
    newest: dict[str, str] = {}
    for _, facts in sorted(rows, key=lambda row: row[0]):
        newest |= {name: value for name, value in facts.items() if value}
    name = newest.get("name") or newest.get("email") or f"Contact {contact}"
    return Person(name, *(newest.get(field) for field in ("first_name", "last_name", "email", "phone")))


def _seen(doc: Document) -> datetime:
    try:
        return instant(doc.get("updatedAt"))
    except ValueError:
        return _NEVER


def _snapshot(doc: Document) -> dict[str, str | None]:
    part = doc.get("contactSnapshot") or {}
    first, last = _text(part.get("firstName")), _text(part.get("lastName"))
    name = _text(part.get("companyName")) or _text(part.get("name")) or " ".join(filter(None, (first, last)))
    contact = {"email": _text(part.get("email")), "phone": _text(part.get("phone"))}
    return {"name": name or None, "first_name": first, "last_name": last, **contact}


def _listed(doc: Document) -> dict[str, str | None]:
    """Lists flatten the snapshot to a name and an e-mail address, and leave the company out."""
    part = doc.get("contactSnapshot") or {}
    name = part.get("name") or " ".join(filter(None, (part.get("firstName"), part.get("lastName"))))
    return {"name": _text(name), "email": _text(part.get("email"))}


def _text(value: object) -> str | None:
    return value.strip(" ") or None if isinstance(value, str) else None
