"""Reading single records of a target again, between two readings of the whole: what a hook or an order names.

No certificate is touched: what is gone is known by 404 alone. Whole readings belong to `readback.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from ghl_payments.connectors.levels import use_stored_levels
from ghl_payments.connectors.readback import ReadBack
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.landing_load import load_documents, naive
from ghl_payments.warehouse.reconcile import derive_actual

GOOD_FOR = timedelta(hours=11)
"""How old the last complete reading of a target may be; the claim gate wants less than 12 hours."""


def is_fresh(warehouse: Warehouse, connection: str, record_types: Iterable[str]) -> bool:
    """Whether the last readings of all these types were complete and are young enough for the claim gate."""
    with warehouse.open() as con:
        rows = con.execute(
            "select record_type from actual.reads where connection = ? and complete and read_at >= ?",
            [connection, naive(datetime.now(UTC) - GOOD_FOR)],
        ).fetchall()
    return set(record_types) <= {row[0] for row in rows}


async def reread(back: ReadBack, record_type: str, ids: Sequence[str], location_id: str) -> dict[str, int]:
    """Get these records again, by native id or by our key; each with its HTTP status, 404 for what is not there.

    KeyError for a record type that the system does not have. Errors of the system are raised.
    """
    if record_type not in {*back.connector.record_types, *back.connector.auxiliary_types}:
        raise KeyError(record_type)
    use_stored_levels(back.connector, back.warehouse, back.target.connection, back.forced_levels)
    answers: dict[str, int] = {}
    native = [record_id for record_id in ids if not record_id.startswith("ghl:")]
    paths = []
    if native:
        paths.append(back.file(f"{record_type}-named"))
        answers |= await back.connector.read_details(record_type, native, paths[-1])
    for key in sorted(set(ids) - set(native)):
        paths.append(back.file(f"{record_type}-found"))
        answers[key] = 200 if await back.connector.find(record_type, key, location_id, paths[-1]) else 404
    with back.warehouse.open() as con:
        for path in paths:
            if path.exists():
                load_documents(con, path, back.target.connection, datetime.now(UTC))
        derive_actual(con, back.target, [record_type])
    return answers
