"""What the sandboxed Act! database consists of: properties of its entities, its own custom fields, types of columns.

Add a property or a collection here; names are those of Act!'s published API description.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ghl_payments.sandbox.codec import Doc

STATUS_NAMES = ("Open", "Won", "Lost", "Inactive")

API_USER = "b3d1c6a2-5f0e-4c0b-9a43-6a1f0a4f9e11"
"""Id of the user that the web API signs in as."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection below `/api`: what may be written, what is Act!'s own, whether entities have custom fields.

    `record_type` is its name in metadata, None where it has no custom fields.
    """

    name: str
    record_type: str | None
    writable: tuple[str, ...]
    own: tuple[str, ...]
    required: tuple[str, ...] = ()

    @property
    def properties(self) -> frozenset[str]:
        """Everything that can be filtered, ordered or selected by name."""
        return frozenset((*self.writable, *self.own))


COLLECTIONS: dict[str, Collection] = {
    collection.name: collection
    for collection in (
        Collection(
            "contacts", "Contact",
            _names("fullName firstName lastName company emailAddress altEmailAddress businessPhone mobilePhone "
                   "businessAddress quickbooksId isPrivate recordManagerID"),
            _names("id isUser companyID created edited editedBy"),
        ),
        Collection(
            "opportunities", "Opportunity",
            _names("name status openDate estimatedCloseDate actualCloseDate probability source sourceId reason "
                   "competitor quickbooksInvoiceId stage isPrivate recordManagerID"),
            _names("id statusName productTotal weightedTotal product contactNames daysOpen creator created edited "
                   "editedBy"),
            required=("name",),
        ),
        Collection(
            "history", None,
            _names("regarding details startTime endTime duration historyTypeID isPrivate recordManagerID"),
            _names("id created edited editUserID createUserID"),
        ),
        Collection(
            "products", None,
            _names("name price quantity cost itemNumber type"),
            _names("id total discount discountPrice opportunityID created edited"),
            required=("name",),
        ),
    )
}  # fmt: skip
"""Collections by lower-case name; products are those of opportunities."""

DATES = frozenset(_names("openDate estimatedCloseDate actualCloseDate created edited startTime endTime"))
NUMBERS = frozenset(_names("probability price quantity cost historyTypeID"))

ROW_MEMBERS = _names("id companies contacts groups opportunity created edited editedBy recordOwner")
"""What every row of a custom table has beside its columns."""

TEXT_TYPES = frozenset(_names("Character InitialCaps Lowercase Uppercase Memo Url Email Phone"))
NUMBER_TYPES = frozenset(_names("Number Currency Decimal"))
DATE_TYPES = frozenset(_names("Date Time DateTime AnnualEvent"))
TYPES = TEXT_TYPES | NUMBER_TYPES | DATE_TYPES | {"YesNo", "Picture", "Calculated", "Address"}


def column(record_type: str, name: str, kind: str, **more: Any) -> Doc:
    """One column as metadata show it; its internal name is in capitals, records show it in lower case."""
    internal = "".join(character if character.isalnum() else "_" for character in name.upper())
    return {
        "id": f"{record_type.lower()}-{internal.lower()}", "name": name, "columnName": internal, "displayName": name,
        "recordType": record_type, "type": kind, "isCustom": True, "isReadOnly": False, **more,
    }  # fmt: skip


def default_columns() -> list[Doc]:
    """The custom fields that every database is born with."""
    opportunity = [column("Opportunity", f"opportunity_field_{n}", "Character", length=64) for n in range(1, 9)]
    return opportunity + [column("Contact", f"user{n}", "Character", length=64) for n in range(1, 11)]


BUILT_IN = ("Company", "Contact", "Group", "Opportunity", "Product")
