"""Names of time zones as configuration gives them.

Add rules about zones here; which zone decides what belongs to its settings.
"""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator


def known_zone(value: str) -> str:
    """The name unless it is unknown here; ValueError with an example."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        msg = f"{value!r} is not an IANA time zone; write for example America/New_York"
        raise ValueError(msg) from None
    return value


ZoneName = Annotated[str, AfterValidator(known_zone)]
"""The name of an IANA time zone."""
