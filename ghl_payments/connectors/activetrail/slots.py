"""Whose the account's contact fields are: labels read before anything is written, and what a refusal says.

Which slot holds which field is chosen in `options.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ghl_payments.connectors.activetrail.client import SYSTEM, plain_name
from ghl_payments.connectors.activetrail.options import Options
from ghl_payments.transport.errors import Rejected


@dataclass(frozen=True, slots=True)
class SlotCheck:
    """What the labels say: `foreign` are slots of ours that carry somebody else's label; None labels were not told."""

    foreign: Mapping[str, str]
    told: bool

    @property
    def evidence(self) -> str:
        """In words for a report."""
        if not self.told:
            return "the account does not tell the labels of its contact fields"
        if not self.foreign:
            return "every slot is without a label or carries ours"
        return "slots with a label of somebody else: " + ", ".join(
            f"{s} ({n})" for s, n in sorted(self.foreign.items())
        )


def check_labels(options: Options, labels: Mapping[str, str] | None) -> SlotCheck:
    """A slot is ours when it has no label, the default one (its own name), or one that begins with our prefix."""
    if labels is None:
        return SlotCheck({}, told=False)
    prefix = options.label_prefix.casefold()
    foreign = {}
    for slot in options.slots.values():
        label = labels.get(slot, "")
        if label and not label.casefold().startswith(prefix) and not _is_default(slot, label):
            foreign[slot] = label
    return SlotCheck(foreign, told=True)


def slot_refusal(check: SlotCheck, options: Options, key: str) -> Rejected:
    """Why a contact cannot be written; names slots and labels, never a person's data."""
    if check.told:
        which = "; ".join(f"{slot} is labelled {label!r}" for slot, label in sorted(check.foreign.items()))
        advice = (
            f"{which}. Choose free slots in the connection's options (slot_...), or begin the label with "
            f"{options.label_prefix!r} in ActiveTrail if the field is meant for this."
        )
    else:
        advice = (
            "The account does not tell the labels of its contact fields. See in ActiveTrail that the slots are free, "
            "then set `capabilities: {slots: own}` on the connection."
        )
    return Rejected(
        system=SYSTEM, method="POST", path="/api/groups/members", remedy=f"{key}: {advice} Nothing was sent."
    )


def _is_default(slot: str, label: str) -> bool:
    """`ext25`, `Ext 25`, `Extra field 25`: the vendor's own words with the slot's number."""
    number = "".join(sign for sign in slot if sign.isdigit())
    name = plain_name(label)
    words = {"ext": ("ext", "extra", "extrafield", "extfield", "text"), "num": ("num", "number", "numberfield"),
             "dat": ("date", "datefield")}  # fmt: skip
    return any(name == word + number for word in words[slot[:3]])
