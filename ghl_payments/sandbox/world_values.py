"""The small values of a seeded world: ids, instants and JSON numbers, always the same for the same seed.

Add a helper here when several parts of the generator need the same kind of value; whole documents belong elsewhere.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Any

from ghl_payments.domain.money import major_decimal

Document = dict[str, Any]
"""One JSON document as the vendor's API shows it; amounts are `int` or `Decimal`, never `float`."""

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
"""Milliseconds; instants of the generator are UTC milliseconds since 1970."""

_EPOCH = datetime(1970, 1, 1)
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def to_ms(instant: datetime) -> int:
    """UTC milliseconds of an aware instant, without going through a float."""
    return (instant.astimezone(UTC).replace(tzinfo=None) - _EPOCH) // timedelta(milliseconds=1)


def stamp(ms: int) -> str:
    """ISO 8601 UTC with milliseconds and `Z`, the form of every GHL timestamp."""
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds") + "Z"


def stamp_of(instant: datetime) -> str:
    """The same form for an aware instant."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def mongo_id(rng: Random, ms: int) -> str:
    """24 hex digits whose first eight are the second of creation, as MongoDB makes them."""
    return f"{ms // SECOND:08x}{rng.getrandbits(64):016x}"


def text_id(rng: Random, length: int) -> str:
    """Letters and digits, the form of contact, location and source ids."""
    return "".join(rng.choices(_ALPHABET, k=length))


def uuid_text(rng: Random) -> str:
    """A random-looking version 4 UUID."""
    raw = f"{rng.getrandbits(128):032x}"
    return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-a{raw[17:20]}-{raw[20:]}"


@lru_cache(maxsize=65_536)
def number(minor: int, currency: str) -> int | Decimal:
    """The JSON number of an amount in major units: `150.1` for 15010 cents, `57` for 5700, `500` for 500 yen."""
    value = major_decimal(minor, currency)
    whole = int(value)
    return whole if value == whole else value.normalize()
