"""Lets GHL's records move under a client that pages through them.

Insertions and deletions fall into the very selection that is being read, whatever its filters are.
"""

from __future__ import annotations

from ghl_payments.sandbox.clock import iso_ms
from ghl_payments.sandbox.codec import Doc, decode_doc
from ghl_payments.sandbox.faults import DriftOp
from ghl_payments.sandbox.ghl import GhlSandbox
from ghl_payments.sandbox.ghl_stream import Row
from ghl_payments.sandbox.journal import History
from ghl_payments.sandbox.wire import Request


def drift(ghl: GhlSandbox, history: History, request: Request, op: DriftOp, number: int) -> None:
    """Change the list that a request reads: a copy of its newest row a millisecond later, a copy of its middle row
    a millisecond later, or its newest row gone. `number` makes new ids differ.
    """
    selection = ghl.selection(request)
    if selection is None or not selection[2]:
        return
    location, stream, rows = selection
    if op == "delete":
        history.write(stream, rows[-1].key, None)
        return
    copied = _copy(rows[-1] if op == "insert" else rows[len(rows) // 2], number)
    row = stream.row(copied, location.id)
    history.write(stream, row.key, row)


def _copy(row: Row, number: int) -> Doc:
    doc = decode_doc(row.state())
    moment = iso_ms(row.order[0] + 1)
    return doc | {"_id": f"d41f{number:020x}", "createdAt": moment, "updatedAt": moment}
