"""OData as the sandboxed Act! understands it: `$filter`, `$orderby`, `$top`, `$skip`, `$select` over plain documents.

Which properties there are is the caller's to say; what is not understood raises BadQuery.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from ghl_payments.sandbox.codec import Doc

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')"
    r"|(?P<instant>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z_][\w/]*)"
    r"|(?P<mark>[(),]))"
)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}
_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_OPTIONS = frozenset(("$filter", "$orderby", "$top", "$skip", "$select", "$expand"))

Test = Callable[[Doc], bool]


class BadQuery(Exception):
    """A query that cannot be answered; the text says why."""


@dataclass(frozen=True, slots=True)
class Properties:
    """What a collection lets itself be asked about: names, and custom fields where they can be filtered."""

    names: Collection[str]
    custom: Collection[str] = ()
    exact_case: bool = False

    def check(self, name: str) -> str:
        """The name, if it is one."""
        inside = name.partition("/")[2] if name.startswith("customFields/") else None
        known = inside in self.custom if inside is not None else name.partition("/")[0] in self.names
        if not known:
            msg = f"Could not find a property named '{name}'"
            raise BadQuery(msg)
        return name

    def fold(self, text: str) -> str:
        """A text as comparisons see it; databases mostly compare without case."""
        return text if self.exact_case else text.casefold()


def value_of(doc: Doc, name: str) -> Any:
    """A property, through a path of `/`."""
    value: Any = doc
    for part in name.split("/"):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def moment(value: Any) -> datetime | None:
    """An instant in UTC; None for what is none."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if at is None:
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def read_filter(text: str, properties: Properties) -> Test:
    """The condition as a function of a document."""
    parser = _Parser(text, properties)
    test = parser.alternatives()
    if parser.peek() is not None:
        raise BadQuery("Syntax error at the end of $filter")
    return test


class _Parser:
    def __init__(self, text: str, properties: Properties) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._properties = properties

    def peek(self) -> tuple[str, str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> tuple[str, str]:
        token = self.peek()
        if token is None:
            raise BadQuery("Syntax error: $filter ends too early")
        self._at += 1
        return token

    def _expect(self, mark: str) -> None:
        if self._next()[1] != mark:
            msg = f"Syntax error: '{mark}' expected"
            raise BadQuery(msg)

    def alternatives(self) -> Test:
        tests = [self._conditions()]
        while self.peek() == ("name", "or"):
            self._next()
            tests.append(self._conditions())
        return tests[0] if len(tests) == 1 else lambda doc: any(test(doc) for test in tests)

    def _conditions(self) -> Test:
        tests = [self._condition()]
        while self.peek() == ("name", "and"):
            self._next()
            tests.append(self._condition())
        return tests[0] if len(tests) == 1 else lambda doc: all(test(doc) for test in tests)

    def _condition(self) -> Test:
        kind, text = self._next()
        if text == "(" and kind == "mark":
            test = self.alternatives()
            self._expect(")")
            return test
        if kind != "name":
            msg = f"Syntax error at '{text}'"
            raise BadQuery(msg)
        if self.peek() == ("mark", "("):
            return self._function(text)
        return self._comparison(self._properties.check(text))

    def _function(self, name: str) -> Test:
        apply = _FUNCTIONS.get(name)
        if apply is None:
            msg = f"Unknown function '{name}'"
            raise BadQuery(msg)
        self._expect("(")
        kind, text = self._next()
        if kind != "name":
            msg = f"{name} needs a property"
            raise BadQuery(msg)
        prop = self._properties.check(text)
        self._expect(",")
        part = self._literal()
        self._expect(")")
        fold = self._properties.fold
        wanted = fold(part) if isinstance(part, str) else ""
        return lambda doc: isinstance(value := value_of(doc, prop), str) and apply(fold(value), wanted)

    def _comparison(self, prop: str) -> Test:
        kind, operator = self._next()
        compare = _COMPARISONS.get(operator) if kind == "name" else None
        if compare is None:
            msg = f"Unknown operator '{operator}'"
            raise BadQuery(msg)
        literal, fold = self._literal(), self._properties.fold
        if literal is None:
            return lambda doc: compare(value_of(doc, prop) is None, True)
        if isinstance(literal, datetime):
            return lambda doc: (at := moment(value_of(doc, prop))) is not None and compare(at, literal)
        if isinstance(literal, str):
            wanted = fold(literal)
            return lambda doc: isinstance(value := value_of(doc, prop), str) and compare(fold(value), wanted)
        return lambda doc: isinstance(value := value_of(doc, prop), int | Decimal) and compare(value, literal)

    def _literal(self) -> Any:
        kind, text = self._next()
        match kind:
            case "text":
                return text[1:-1].replace("''", "'")
            case "instant":
                return moment(text)
            case "number":
                return Decimal(text)
        if text in ("null", "true", "false"):
            return {"null": None, "true": True, "false": False}[text]
        msg = f"Syntax error at '{text}'"
        raise BadQuery(msg)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            msg = f"Syntax error at position {at} in $filter"
            raise BadQuery(msg)
        yield str(found.lastgroup), found.group(str(found.lastgroup))
        at = found.end()


Ordered = tuple[list[tuple[Any, ...]], list[Doc]]
"""(sort keys, documents in that order)."""


def order_terms(text: str, properties: Properties) -> list[tuple[str, bool]]:
    """(property, descending) of each term."""
    terms = []
    for part in text.split(","):
        name, _, direction = part.strip().partition(" ")
        if direction.strip() not in ("", "asc", "desc"):
            msg = f"Syntax error in $orderby at '{part}'"
            raise BadQuery(msg)
        terms.append((properties.check(name), direction.strip() == "desc"))
    return terms


def ordered(docs: Sequence[Doc], terms: Sequence[tuple[str, bool]], dates: Collection[str]) -> Ordered:
    """Documents in the order asked for, the last term the least; keys only tell where all terms ascend."""
    rows = list(docs)
    for name, descending in reversed(terms):
        rows.sort(key=lambda doc: _sort_key(value_of(doc, name), name in dates), reverse=descending)
    ascending = not any(descending for _, descending in terms)
    first = terms[0][0] if terms and ascending else ""
    return ([_sort_key(value_of(doc, first), first in dates) for doc in rows] if first else []), rows


def _sort_key(value: Any, is_date: bool) -> tuple[int, Any]:
    if is_date:
        at = moment(value)
        return (0, 0) if at is None else (1, at)
    if isinstance(value, int | Decimal):
        return 1, value
    return (0, 0) if value is None else (2, str(value).casefold())


def start_of(rows: Ordered, filter_text: str) -> int:
    """Where the first row can be that `edited ge …` lets through, when rows ascend by `edited`."""
    found = re.search(r"(?:^|and )edited ge (\S+)$", filter_text)
    if not found or not rows[0] or " or " in filter_text:
        return 0
    at = moment(found.group(1))
    return 0 if at is None else bisect_left(rows[0], (1, at))


def whole(query: dict[str, str], name: str, default: int) -> int:
    """A number of rows."""
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        msg = f"Invalid value '{text}' for {name}"
        raise BadQuery(msg)
    return int(text)


def check_options(query: dict[str, str]) -> None:
    """Options that start with `$` must be known."""
    unknown = [name for name in query if name.startswith("$") and name not in _OPTIONS]
    if unknown:
        msg = f"The query parameter '{unknown[0]}' is not supported"
        raise BadQuery(msg)


def page(rows: Iterator[Doc], query: dict[str, str], cap: int) -> list[Doc]:
    """The rows of one answer."""
    skip, top = whole(query, "$skip", 0), min(whole(query, "$top", cap), cap)
    return list(islice(rows, skip, skip + top))
