"""When a receiver that did not take an event is tried again: seconds between attempts, three days in all.

Another rhythm of attempts belongs here; how an attempt is made belongs to the connectors.
"""

from __future__ import annotations

DELAYS = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""After the first attempt, the second and so on: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h, as the
Standard Webhooks specification suggests."""
