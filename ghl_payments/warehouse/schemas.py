"""The pandera schemas: the contract of record for every staging, actual, desired and diffs table.

Add a table's contract here when the table is made; each check is a named rule with a remedy.
How rows are checked and quarantined belongs to `validate.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pandera.pandas as pa

from ghl_payments.domain.change_states import MOVES
from ghl_payments.domain.diff_kinds import FIELD_CLASSES, KIND_BY_NAME
from ghl_payments.domain.money import CURRENCY_EXPONENTS, MAX_MINOR

REMEDIES: dict[str, str] = {
    "id_missing": "The row has no id, so it cannot be told apart from others. Ask the vendor, with the payload.",
    "currency_unknown": "The currency is not in ISO 4217. Correct it at the source, or add it to domain/money.py.",
    "amount_not_numeric": "The amount is missing or not a plain number. Correct it at the source.",
    "amount_too_large": "10^15 minor units and more cannot be held exactly. Correct it at the source.",
    "created_at_unreadable": "createdAt is missing or not an ISO 8601 instant. Ask the vendor, with the payload.",
    "status_not_text": "The status is missing or not a text. The API may have changed: compare with its documentation.",
    "quantity_not_numeric": "The quantity of a line is not a number. Correct it at the source.",
    "price_not_numeric": "The price of a line is not a number. Correct it at the source.",
    "key_missing": "The row has no key of ours where one is required. Report this as a bug.",
    "value_not_allowed": "The value is not one of the documented ones. Report this as a bug.",
    "duplicate_key": "Two rows have one key. Report this as a bug.",
    "wrong_type": "The column has another type than the contract says. Report this as a bug.",
}
"""Rule -> what a person can do about a row that breaks it."""


@dataclass(frozen=True, slots=True)
class TableContract:
    """A table's schema, the columns that identify a row, and the column that says whose rows they are."""

    table: str
    owner: str
    key: tuple[str, ...]
    schema: pa.DataFrameSchema


def _rule(name: str, test: Callable[[pd.Series[Any]], Any]) -> pa.Check:
    return pa.Check(test, name=name, error=name, ignore_na=False)


def _present(rule: str) -> pa.Check:
    return _rule(rule, lambda s: s.notna() & (s.astype("string").fillna("") != ""))


def _one_of(values: Any, rule: str = "value_not_allowed") -> pa.Check:
    allowed = list(values)
    return _rule(rule, lambda s: s.isin(allowed).fillna(False))


def _text(*checks: pa.Check, required: bool = True) -> pa.Column:
    return pa.Column("string", list(checks), nullable=True, required=required)


def _minor() -> pa.Column:
    bounds = _rule("amount_too_large", lambda s: s.isna() | (s.abs().fillna(0) < MAX_MINOR))
    return pa.Column("Int64", [bounds], nullable=True)


_INSTANT = pa.Column("datetime64[us]", [_rule("created_at_unreadable", lambda s: s.notna())], nullable=True)
_MOMENT = pa.Column("datetime64[us]", nullable=True)
_FLAG = pa.Column("boolean", nullable=True)
_CURRENCY = _text(_one_of(CURRENCY_EXPONENTS, "currency_unknown"))
_AMOUNT_STATE = _text(
    _rule("amount_not_numeric", lambda s: ~s.isin(["missing", "not_numeric"])),
    _rule("amount_too_large", lambda s: s != "too_large"),
)
_STATUS_TYPE = _text(_one_of(["VARCHAR"], "status_not_text"))


def _contract(table: str, owner: str, key: tuple[str, ...], columns: dict[str, pa.Column]) -> TableContract:
    schema = pa.DataFrameSchema(columns, strict=False, coerce=False, unique_column_names=True)
    return TableContract(table, owner, key, schema)


_ID = _text(_present("id_missing"))
_KEY = _text(_present("key_missing"))

CONTRACTS: dict[str, TableContract] = {
    contract.table: contract
    for contract in (
        _contract("staging.orders", "location_id", ("order_id",), {
            "order_id": _ID, "live": _FLAG, "currency": _CURRENCY, "amount_minor": _minor(),
            "amount_state": _AMOUNT_STATE, "status_type": _STATUS_TYPE, "created_at": _INSTANT,
        }),
        _contract("staging.order_items", "location_id", ("order_id", "line_number"), {
            "order_id": _ID,
            "quantity_is_number": pa.Column("boolean", _rule("quantity_not_numeric", lambda s: s)),
            "price_is_number": pa.Column("boolean", _rule("price_not_numeric", lambda s: s)),
        }),
        _contract("staging.fulfillments", "location_id", ("order_id", "fulfillment_id"), {
            "order_id": _ID, "fulfillment_id": _ID, "created_at": _INSTANT,
            "quantity_is_number": pa.Column("boolean", _rule("quantity_not_numeric", lambda s: s)),
        }),
        _contract("staging.transactions", "location_id", ("transaction_id",), {
            "transaction_id": _ID, "live": _FLAG, "currency": _CURRENCY, "amount_minor": _minor(),
            "refunded_minor": _minor(), "amount_state": _AMOUNT_STATE, "status_type": _STATUS_TYPE,
            "created_at": _INSTANT,
        }),
        _contract("staging.refunds", "location_id", ("transaction_id", "refund_number"), {
            "transaction_id": _ID, "amount_minor": _minor(), "currency": _CURRENCY, "seen_at": _INSTANT,
        }),
        _contract("staging.subscriptions", "location_id", ("subscription_id",), {
            "subscription_id": _ID, "live": _FLAG, "currency": _CURRENCY, "amount_minor": _minor(),
            "amount_state": _AMOUNT_STATE, "status_type": _STATUS_TYPE, "created_at": _INSTANT,
            "plan": _text(), "interval_text": _text(), "starts_at": _MOMENT, "ends_at": _MOMENT,
            "cancelled_at": _MOMENT, "next_billing_at": _MOMENT,
        }),
        _contract("staging.contacts", "location_id", ("contact_id",), {"contact_id": _ID, "name": _text()}),
        _contract("staging.contact_aliases", "location_id", ("alias_id",), {"alias_id": _ID, "contact_id": _ID}),
        _contract("staging.integration_providers", "location_id", ("provider_id",), {"provider_id": _ID}),
        _contract("actual.records", "connection", ("record_type", "native_id"), {
            "record_type": _KEY, "native_id": _KEY, "hash": _KEY, "amount_minor": _minor(),
        }),
        _contract("reconciliation.desired", "location_id", ("connection", "record_type", "key", "representable"), {
            "record_type": _KEY, "key": _KEY, "hash": _KEY, "amount_minor": _minor(), "representable": _FLAG,
        }),
        _contract("reconciliation.invariants", "location_id", ("key", "kind", "live"), {
            "key": _KEY, "kind": _text(_one_of(KIND_BY_NAME)), "amount_minor": _minor(),
        }),
        _contract("reconciliation.diffs", "location_id", ("diff_id",), {
            "diff_id": _KEY, "key": _KEY, "kind": _text(_one_of(KIND_BY_NAME)), "amount_minor": _minor(),
            "class": _text(_rule("value_not_allowed", lambda s: s.isna() | s.isin(FIELD_CLASSES))),
            "state": _text(_one_of(["open", "closed", "ignored"])), "pushable": _FLAG,
        }),
        _contract("outbox.changes", "location_id", ("change_id",), {
            "change_id": _KEY, "key": _KEY, "state": _text(_one_of(MOVES)), "amount_minor": _minor(),
            "operation": _text(_one_of(["create", "update"])),
        }),
    )
}  # fmt: skip
"""Table -> contract."""
