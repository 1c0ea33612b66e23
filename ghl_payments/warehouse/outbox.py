"""The outbox: plan, brake, claim, record and verify changes, each one transaction of SQL.

Extend it when a change may take a further step; sending belongs to `connectors/push.py`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb

from ghl_payments.warehouse.landing_load import naive
from ghl_payments.warehouse.queries import run
from ghl_payments.warehouse.reconcile import Target, prepare_target

BATCH = 100
"""Changes claimed at a time: few enough to re-read after a crash, enough to open the file seldom."""


@dataclass(frozen=True, slots=True)
class ClaimedChange:
    """A change that may be sent now, with everything bound that the target needs."""

    change_id: str
    record_type: str
    key: str
    operation: str
    native_id: str | None
    changed: tuple[str, ...] = ()
    fields: dict[str, str | None] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    attempts: int = 0
    revision: int = 1
    tries: int = 0
    """Attempts in vain at a receiver that knows a repeated request."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of one request: outcome sent | refused | unknown | approved (nothing was applied).

    `not_before` is until when a change waits that goes on being tried in later pushes, `tries` how often it was.
    """

    change_id: str
    outcome: str
    native_id: str | None = None
    status: int | None = None
    detail: str | None = None
    tries: int | None = None
    not_before: datetime | None = None


GONE = "endpoint_gone"
"""The brake of a receiver that answered 410: nothing is sent to it until a person releases it."""


def _keys(target: Target, location_id: str, as_of: datetime) -> dict[str, Any]:
    return {
        "connection": target.connection,
        "location_id": location_id,
        "system": target.system,
        "live": target.live,
        "policy": target.policy,
        "as_of": naive(as_of),
    }


def plan(
    con: duckdb.DuckDBPyConnection, target: Target, location_id: str, *, as_of: datetime, turn_id: str
) -> dict[str, int]:
    """Turn open pushable diffs into changes under the target's policy and brakes; changes by state."""
    prepare_target(con, target)
    keys = _keys(target, location_id, as_of)
    con.execute("begin")
    braked = run(con, "outbox/brakes", {**keys, "shrink_share": target.shrink_share})
    names = ", ".join(sorted({f"{brake} ({record_type})" for brake, record_type in braked}))
    reason = (
        f"brake {names}: look into the target, then `ghl-payments release --connection {target.connection}`"
        if braked
        else None
    )
    states = run(
        con,
        "outbox/changes",
        {
            **keys,
            "turn_id": turn_id,
            "mapping_hash": target.mapping.fingerprint,
            "braked": bool(braked),
            "gone": any(brake == GONE for brake, _ in braked),
            "brake_reason": reason,
        },
    )
    con.execute("commit")
    return {state: int(count) for state, count in states}


def leftovers(
    con: duckdb.DuckDBPyConnection, target: Target, location_id: str, *, as_of: datetime
) -> list[ClaimedChange]:
    """Changes whose outcome nobody knows, after turning cut-off ones into `unknown`."""
    rows = run(con, "outbox/leftovers", _keys(target, location_id, as_of))
    names = ("change_id", "record_type", "key", "operation", "native_id", "attempts")
    return [ClaimedChange(**dict(zip(names, row, strict=True))) for row in rows]


def claim(
    con: duckdb.DuckDBPyConnection, target: Target, location_id: str, *, as_of: datetime, batch: int = BATCH
) -> list[ClaimedChange]:
    """Claim the next changes that may leave now, parents before children; committed before anything is sent."""
    prepare_target(con, target)
    con.execute("begin")
    rows = run(con, "outbox/claim", {**_keys(target, location_id, as_of), "batch": batch})
    con.execute("commit")
    return [
        ClaimedChange(
            change_id=row[0],
            record_type=row[1],
            key=row[2],
            operation=row[3],
            native_id=row[4],
            changed=tuple(json.loads(row[5])),
            fields=json.loads(row[6]),
            parents=json.loads(row[7]),
            attempts=row[8],
            revision=row[9],
            tries=row[10],
        )
        for row in rows
    ]


def record(con: duckdb.DuckDBPyConnection, results: Sequence[SendResult], *, as_of: datetime) -> None:
    """Write down what came back for each sent change."""
    columns = ", ".join(f"{name} {kind}" for name, kind in _RESULT.items())
    con.execute(f"create or replace temp table send_results ({columns})")
    con.execute(
        "insert into send_results select " + ", ".join(f"unnest(${n}::{kind}[])" for n, kind in _RESULT.items()),
        {name: [_plain(getattr(result, name)) for result in results] for name in _RESULT},
    )
    con.execute("begin")
    run(con, "outbox/record", {"as_of": naive(as_of)})
    con.execute("commit")


_RESULT = {
    "change_id": "varchar", "outcome": "varchar", "native_id": "varchar", "status": "integer", "detail": "varchar",
    "tries": "integer", "not_before": "timestamp",
}  # fmt: skip


def _plain(value: object) -> object:
    return naive(value) if isinstance(value, datetime) else value


def verify(
    con: duckdb.DuckDBPyConnection,
    change_ids: Iterable[str],
    *,
    as_of: datetime,
    settled: bool,
    told: Collection[str] | None = None,
    sent_now: Collection[str] = (),
) -> dict[str, int]:
    """Judge changes by their records as read back (needs `derive_actual` first); verdicts with counts.

    Unless `settled`, an unequal record is left for a later look, because a target may answer old values for a while.
    `told` names the fields that a record as read back tells, None where it tells all: an equal one is `verified` only
    if they say something of the change, of an update all of it, else `delivered_unverified`. `sent_now` are the changes
    that the push at hand sent: of these what is irreversible and cannot be found stays `unknown`, for a later push.
    """
    con.execute("create or replace temp table to_verify (change_id varchar, sent_now boolean)")
    con.execute(
        "insert into to_verify select id, list_contains($now::varchar[], id) from unnest($ids::varchar[]) as t (id)",
        {"ids": list(change_ids), "now": list(sent_now)},
    )
    con.execute("begin")
    names = None if told is None else sorted(told)
    rows = run(con, "outbox/verify", {"as_of": naive(as_of), "settled": settled, "told": names})
    con.execute("commit")
    return {verdict: int(count) for verdict, count in rows}


def endpoint_gone(con: duckdb.DuckDBPyConnection, connection: str, reason: str, *, as_of: datetime) -> None:
    """Remember that a receiver wants no more events, for as long as no person releases it."""
    con.execute(
        "insert or replace into outbox.brakes values (?, ?, 'every record type', ?, null, null, true, null, ?)",
        [connection, GONE, reason, naive(as_of)],
    )


def release(con: duckdb.DuckDBPyConnection, connection: str, *, as_of: datetime) -> list[tuple[str, str]]:
    """Release the connection's active brakes: what was observed becomes the new baseline; (brake, record type)."""
    rows = con.execute(
        "select brake, record_type from outbox.brakes where connection = ? and active order by all", [connection]
    ).fetchall()
    con.execute(
        "insert into actual.read_history select connection, record_type, observed, true, ?::timestamp "
        "from outbox.brakes where connection = ? and active and observed is not null",
        [naive(as_of), connection],
    )
    con.execute(
        "update outbox.brakes set active = false, released_at = ? where connection = ? and active",
        [naive(as_of), connection],
    )
    return [(brake, record_type) for brake, record_type in rows]


def retry(con: duckdb.DuckDBPyConnection, connection: str, change_id: str | None, *, as_of: datetime) -> list[str]:
    """Forget refusals, so that the next plan tries those records again; the ids of the changes.

    For use after the cause was settled in the target, which we cannot see: the wish itself has not changed.
    """
    rows = con.execute(
        "update outbox.changes set state = 'superseded', moved_at = ?, reason = 'to be tried again' "
        "where connection = ? and state = 'refused' and coalesce(? = change_id, true) returning change_id",
        [naive(as_of), connection, change_id],
    ).fetchall()
    return sorted(row[0] for row in rows)
