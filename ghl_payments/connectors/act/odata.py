"""OData query options as Act! reads them: quoted strings, bare instants, conditions joined by `and`.

Add an operator here when a search needs one; which property holds what belongs to the connector.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

PAGE_SIZE = 100
"""Rows asked for at once; a database may answer fewer, its own limit is not published."""


def quoted(text: str) -> str:
    """A string literal: single quotes, doubled inside. Percent-encoding is the HTTP client's."""
    return "'" + text.replace("'", "''") + "'"


def instant(at: datetime) -> str:
    """A date-time literal of whole seconds in UTC, without quotes."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def equals(name: str, text: str) -> str:
    """`name eq 'text'`; `name` may be a path such as `customFields/ghl_key`."""
    return f"{name} eq {quoted(text)}"


def starts_with(name: str, text: str) -> str:
    """`startswith(name,'text')`."""
    return f"startswith({name},{quoted(text)})"


def since(name: str, at: datetime) -> str:
    """`name ge instant`."""
    return f"{name} ge {instant(at)}"


def all_of(conditions: Iterable[str | None]) -> str | None:
    """Conditions joined by `and`; None when there is none."""
    given = [condition for condition in conditions if condition]
    return " and ".join(given) or None


@dataclass(frozen=True, slots=True)
class Query:
    """Options of one list request."""

    where: str | None = None
    order: str | None = None
    top: int = PAGE_SIZE
    skip: int = 0

    def params(self) -> dict[str, str | int]:
        """As query parameters; what says nothing is left out, as a database may refuse options it does not know."""
        given = {"$filter": self.where, "$orderby": self.order, "$top": self.top, "$skip": self.skip or None}
        return {name: value for name, value in given.items() if value is not None}
