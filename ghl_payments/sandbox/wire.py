"""One HTTP exchange as the vendors' modules see it, and the two ways in which they answer.

Transport, faults and the request log belong to `app.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ghl_payments.sandbox.codec import encode

Headers = list[tuple[bytes, bytes]]
JSON_TYPE = b"application/json; charset=utf-8"


@dataclass(slots=True)
class Request:
    """A request below a vendor's prefix; `path` keeps its case, header names are lower case.

    `denied_scopes` and `empty_lists` carry the faults that a handler itself must act out.
    """

    system: str
    method: str
    path: str
    query: dict[str, str]
    raw_query: str
    headers: dict[str, str]
    body: bytes
    origin: str
    denied_scopes: frozenset[str] = frozenset()
    empty_lists: bool = False


@dataclass(slots=True)
class Answer:
    """A complete response; an empty `content_type` sends none, as for bodiless 401 and 403 answers."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON_TYPE
    headers: Headers = field(default_factory=list)


class Refused(Exception):
    """Ends a handler with an error answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


@dataclass(slots=True)
class Admission:
    """What the rate limiter says about a request: headers for its answer, and the 429 if it may not pass."""

    headers: Headers
    refusal: Answer | None = None


def json_answer(status: int, value: Any) -> Answer:
    """An answer with an encoded JSON body."""
    return Answer(status, encode(value))


def bare_answer(status: int) -> Answer:
    """An answer without a body."""
    return Answer(status, b"", b"")


def header_list(pairs: Iterable[tuple[str, object]]) -> Headers:
    """Header pairs as ASGI wants them."""
    return [(name.encode("latin-1"), str(value).encode("latin-1")) for name, value in pairs]
