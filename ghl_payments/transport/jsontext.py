"""JSON text in and out without ever passing an amount through a float.

Add helpers that every vendor's client needs to read or write JSON.
What a vendor's document means belongs to its connector.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

import msgspec

Shape = TypeVar("Shape")


class NotJson(Exception):
    """A body that is not UTF-8 JSON; the HTTP client turns it into Unreadable."""


class WrongShape(Exception):
    """JSON of another shape than documented; the text names keys, never values. It becomes SchemaDrift."""


_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def decode(body: bytes | str | msgspec.Raw) -> Any:
    """The document with every non-integer number as Decimal. Raises NotJson."""
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NotJson from None


def encode(document: object) -> bytes:
    """Compact JSON with Decimals as exact numbers."""
    return _ENCODER.encode(document)


def decode_as(decoder: msgspec.json.Decoder[Shape], body: bytes, expected: str) -> Shape:
    """A typed skim of a document. Raises NotJson, or WrongShape saying what was `expected` and which keys came."""
    try:
        body.decode("utf-8")  # the skim itself does not look into strings
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise WrongShape(f"Expected {expected}; {describe(body)}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NotJson from None


def describe(body: bytes) -> str:
    """The outline of a document for messages: its type and the names of its keys."""
    document = decode(body)
    if isinstance(document, dict):
        return "found the keys " + (", ".join(sorted(document)) or "(none)")
    return f"found {'an array' if isinstance(document, list) else 'a plain value'}"


def opening(raw: msgspec.Raw | bytes) -> bytes:
    """The first character of a valid JSON value: `{` for an object, `[` for an array."""
    return bytes(memoryview(raw)[:64]).lstrip()[:1] or bytes(raw).lstrip()[:1]
