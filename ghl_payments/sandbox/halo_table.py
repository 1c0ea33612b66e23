"""One Halo table: encoded documents by id, with the indexes and list rows that its filters and pages need.

What the documents mean belongs to `halo_schema`; who may change them, to `halo_write`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from decimal import Decimal
from typing import Any

from ghl_payments.sandbox.codec import Doc, decode_doc, encode
from ghl_payments.sandbox.halo_schema import SUB_LISTS, Resource

_CACHED_SELECTIONS = 64
_HIDDEN = tuple(f'"{name}":'.encode() for name in SUB_LISTS)


def filter_text(value: Any) -> str:
    """A property as a query parameter spells it: 3 for 3.0, `true` for True, empty for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return str(int(value))
    return str(value)


class Table:
    """Documents are replaced as wholes, so that a change is one (id, old, new) and can be taken back."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.next_id = 1
        self.next_line_id = 1
        self._loaded_counters = (1, 1)
        self.ids: list[int] = []
        self._docs: dict[int, bytes] = {}
        self._indexes: dict[str, dict[str, list[int]]] = {name: {} for name in resource.indexed}
        self._listed: dict[int, bytes] = {}
        self._searched: dict[int, str] = {}
        self._selections: dict[tuple[tuple[str, str], ...], list[int]] = {}

    def add(self, doc: Doc) -> None:
        """Load one document with its id, ValueError if there is one; `ready` must follow the last."""
        record_id = doc["id"]
        if record_id in self._docs:
            raise ValueError(f"{self.resource.name} {record_id} stands twice in the state")
        self._docs[record_id] = encode(doc)
        for name, index in self._indexes.items():
            index.setdefault(filter_text(doc.get(name)), []).append(record_id)

    def amend(self, doc: Doc) -> None:
        """Rewrite a document while loading; its indexed properties must be the same."""
        self._docs[doc["id"]] = encode(doc)

    def ready(self) -> None:
        """Put the loaded ids in order."""
        self.ids = sorted(self._docs)
        self.next_id = max(self.next_id, self.ids[-1] + 1 if self.ids else 1)
        self._loaded_counters = (self.next_id, self.next_line_id)

    def rewind(self) -> None:
        """Number new records and lines as if nothing had been written since loading."""
        self.next_id, self.next_line_id = self._loaded_counters

    def replace(self, key: int, value: bytes | None) -> bytes | None:
        """Put or remove one document."""
        old = self._docs.pop(key, None)
        if old is not None:
            del self.ids[bisect_left(self.ids, key)]
            self._reindex(key, old, add=False)
        if value is not None:
            self._docs[key] = value
            insort(self.ids, key)
            self._reindex(key, value, add=True)
        self._listed.pop(key, None)
        self._searched.pop(key, None)
        self._selections.clear()
        return old

    def doc(self, record_id: int) -> Doc | None:
        """A decoded copy of one document."""
        raw = self._docs.get(record_id)
        return None if raw is None else decode_doc(raw)

    def __contains__(self, record_id: object) -> bool:
        return record_id in self._docs

    def raw(self) -> list[bytes]:
        """Every document in id order."""
        return [self._docs[record_id] for record_id in self.ids]

    def find(self, name: str, value: Any) -> list[int]:
        """Ids of the documents with this value of an indexed property, ascending."""
        return self._indexes[name].get(filter_text(value), [])

    def is_indexed(self, name: str) -> bool:
        """Whether `find` knows the property."""
        return name in self._indexes

    def row(self, record_id: int) -> bytes:
        """The list form of one document: reduced, or whole but for sub-lists and custom fields."""
        row = self._listed.get(record_id)
        if row is None:
            raw = self._docs[record_id]
            fields = self.resource.list_fields
            if fields is None and not any(name in raw for name in _HIDDEN):
                return raw
            doc = decode_doc(raw)
            names = fields or [name for name in doc if name not in SUB_LISTS]
            row = self._listed[record_id] = encode({name: doc.get(name) for name in names})
        return row

    def searched(self, record_id: int) -> str:
        """What `search` looks into, case-folded."""
        text = self._searched.get(record_id)
        if text is None:
            doc = decode_doc(self._docs[record_id])
            text = "\n".join(filter_text(doc.get(name)) for name in self.resource.searched).casefold()
            self._searched[record_id] = text
        return text

    def cached(self, query: tuple[tuple[str, str], ...]) -> list[int] | None:
        """The ids that a query selected, as long as nothing has changed since."""
        return self._selections.get(query)

    def cache(self, query: tuple[tuple[str, str], ...], ids: list[int]) -> None:
        """Remember the ids that a query selected."""
        if len(self._selections) >= _CACHED_SELECTIONS:
            self._selections.clear()
        self._selections[query] = ids

    def _reindex(self, key: int, raw: bytes, *, add: bool) -> None:
        if not self._indexes:
            return
        doc = decode_doc(raw)
        for name, index in self._indexes.items():
            text = filter_text(doc.get(name))
            if add:
                insort(index.setdefault(text, []), key)
            else:
                index[text].remove(key)
