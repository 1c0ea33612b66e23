"""How much and how long: bounds that keep a receiver alive whatever is sent to it.

Add a bound here when something could grow or wait without one. What users set stands in `settings.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, bytes and counts; a stop waits longer than a body may take."""

    head_seconds: float = 10.0
    head_bytes: int = 32 * 1024
    body_seconds: float = 10.0
    idle_seconds: int = 30
    stop_seconds: int = 20
    connections: int = 768
    """Below the 1,024 open files that a process commonly has: the inbox needs some."""
    requests: int = 512
    bodies_bytes: int = 64 * 1024 * 1024
    """Of all bodies in memory."""


DEFAULT_LIMITS = Limits()
