"""Every kind of disagreement, in one list, with what it means and what a person can do about it.

Add a kind here first; SQL, reports and docs take names and texts from this table.
How a kind is found belongs to `sql/reconciliation/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FIELD_CLASSES = ("amount", "currency", "status", "quantity", "date", "contact", "other")
"""`field_differs` has one diff a class of differing fields."""


@dataclass(frozen=True, slots=True)
class DiffKind:
    """One kind of diff: where it is found, whether a change may close it, and the advice shown to people."""

    name: str
    scope: Literal["target", "ghl"]
    pushable: bool
    meaning: str
    remedy: str


DIFF_KINDS: tuple[DiffKind, ...] = (
    DiffKind(
        "missing_in_target",
        "target",
        True,
        "GHL has the record, the target has none with its key.",
        "See `ghl-payments changes`: it is written once policy, brakes and options allow; it says what holds it.",
    ),
    DiffKind(
        "field_differs",
        "target",
        True,
        "Both have the record; at least one compared field differs.",
        "See `ghl-payments changes`; fields the target owns have no change and are for its people to settle.",
    ),
    DiffKind(
        "missing_in_source",
        "target",
        False,
        "The target's record carries our key, GHL has no such record.",
        "Open both; void or re-key the target's record if GHL's was deleted on purpose.",
    ),
    DiffKind(
        "duplicate_in_target",
        "target",
        False,
        "Several records in the target carry the same key.",
        "Keep one, void the others in the target; nothing is written to the key until then.",
    ),
    DiffKind(
        "ambiguous",
        "target",
        False,
        "Several records fit equally well and none carries our key.",
        "Put our key on the right one in the target.",
    ),
    DiffKind(
        "deleted_in_target",
        "target",
        False,
        "The record was there, or a cross-reference names it, and is gone.",
        "If the deletion was a mistake, remove the stale cross-reference and run again to create it anew.",
    ),
    DiffKind(
        "not_representable",
        "target",
        False,
        "The target has no form for this record.",
        "Book it by hand in the target; the reason names what is in the way.",
    ),
    DiffKind(
        "unverifiable",
        "target",
        False,
        "A row of this key could not be read, so nothing can be said about it.",
        "See staging.quarantine for the row, its rule and its remedy.",
    ),
    DiffKind(
        "pending",
        "target",
        False,
        "The record changed so recently that the target may still be catching up.",
        "None yet: it is judged once the lag window has passed.",
    ),
    DiffKind(
        "test_record_in_live",
        "target",
        False,
        "A record of GHL's test mode stands in a live target.",
        "Void it in the target; test records never belong there.",
    ),
    DiffKind(
        "paid_without_transaction",
        "ghl",
        False,
        "An order counts as paid, yet no charge stands behind it.",
        "Open the order in GHL and look for the payment; record it or correct the order.",
    ),
    DiffKind(
        "transaction_without_order",
        "ghl",
        False,
        "A charge names an order that does not exist.",
        "Find what the customer paid for; refund it or attach it.",
    ),
    DiffKind(
        "amount_not_tied",
        "ghl",
        False,
        "The charges of an order do not add up to its amount.",
        "Compare the order with its transactions in GHL.",
    ),
    DiffKind(
        "payment_status_disagrees",
        "ghl",
        False,
        "The payment status is not the one its charges give.",
        "Correct the order's status in GHL, or find the missing or extra charge.",
    ),
    DiffKind(
        "duplicate_charge",
        "ghl",
        False,
        "Two charges look like one payment taken twice.",
        "Check with the payment provider and refund one.",
    ),
    DiffKind("over_refunded", "ghl", False, "More was refunded than charged.", "Check with the payment provider."),
    DiffKind("over_fulfilled", "ghl", False, "More units were fulfilled than ordered.", "Compare the fulfillments."),
    DiffKind("unfulfilled_late", "ghl", False, "Paid, and not fulfilled for too long.", "Ship it or refund it."),
    DiffKind("renewal_missed", "ghl", False, "A subscription's expected charge did not come.", "See its provider."),
    DiffKind("subscription_without_charge", "ghl", False, "An active subscription never charged.", "See its provider."),
    DiffKind(
        "subscription_unknown",
        "ghl",
        False,
        "A charge names a subscription that does not exist.",
        "Look it up at the payment provider.",
    ),
    DiffKind(
        "currency_differs",
        "ghl",
        False,
        "A charge is in another currency than its order.",
        "Check the order's price and the provider's charge.",
    ),
)

KIND_BY_NAME = {kind.name: kind for kind in DIFF_KINDS}
PUSHABLE_KINDS = tuple(kind.name for kind in DIFF_KINDS if kind.pushable)

NOT_LOOKED_FOR = frozenset({
    "ambiguous", "duplicate_charge", "over_refunded", "over_fulfilled", "unfulfilled_late", "renewal_missed",
    "subscription_without_charge", "subscription_unknown", "currency_differs",
})  # fmt: skip
"""Kinds that have their name and meaning, and no comparison that finds them yet; a charge in another currency than its
order is found as `amount_not_tied`."""


def as_markdown() -> str:
    """`docs/differences.md`: every kind with what it means and what to do."""
    lines = [
        "# Differences, what they mean and what to do",
        "Made from `ghl_payments/domain/diff_kinds.py`; a test compares.",
        "A push may close those with a yes in the last column; all others are for people.",
        "",
    ]
    for scope, title in (("target", "Between GHL and a target"), ("ghl", "Inside GHL")):
        lines += [
            f"## {title}",
            "| kind | what it means | what to do | a push may close it |",
            "| --- | --- | --- | --- |",
        ]
        for kind in DIFF_KINDS:
            if kind.scope == scope:
                closes = "not looked for yet" if kind.name in NOT_LOOKED_FOR else "yes" if kind.pushable else "no"
                lines.append(f"| `{kind.name}` | {kind.meaning} | {kind.remedy} | {closes} |")
        lines.append("")
    return "\n".join(lines)
