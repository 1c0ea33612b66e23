"""The states of a change in the outbox and the moves allowed between them.

Add a state or a move here first; the SQL that makes the moves stands in `sql/outbox/`.
"""

from __future__ import annotations

from typing import Literal

ChangeState = Literal[
    "planned",
    "approved",
    "claimed",
    "sent",
    "verified",
    "delivered_unverified",
    "refused",
    "unknown",
    "held",
    "undone",
    "superseded",
]

MOVES: dict[str, frozenset[str]] = {
    "planned": frozenset({"approved", "held", "superseded"}),
    "held": frozenset({"planned", "approved", "superseded"}),
    "approved": frozenset({"claimed", "held", "planned", "superseded"}),
    "claimed": frozenset({"sent", "refused", "unknown", "approved"}),
    "sent": frozenset({"verified", "delivered_unverified", "refused", "unknown"}),
    "unknown": frozenset({"verified", "delivered_unverified", "refused", "approved", "superseded"}),
    "verified": frozenset({"undone"}),
    "delivered_unverified": frozenset(),
    "refused": frozenset({"superseded"}),
    "undone": frozenset(),
    "superseded": frozenset(),
}
"""`superseded`: the plan changed before anything was sent, or its record left the plan. `delivered_unverified`: a
receiver accepted it that does not tell what changed when it is read, if it can be: that proves no more."""

SETTLED = frozenset({"verified", "delivered_unverified", "refused", "undone", "superseded"})
IN_FLIGHT = frozenset({"claimed", "sent", "unknown"})


def may_move(old: str, new: str) -> bool:
    """Whether a change may go from one state to another."""
    return new in MOVES[old]
