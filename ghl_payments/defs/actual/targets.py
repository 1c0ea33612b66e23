"""actual/{system}_{record_type}: what each target system holds, read back with a certificate a record type.

A new system's assets come from its connector; nothing is listed here.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import dagster as dg

from ghl_payments.connections import Connection
from ghl_payments.connectors.readback import ReadBack, read_connection
from ghl_payments.connectors.registry import TargetSystem, access_to, describe_target, target_systems
from ghl_payments.connectors.reread import is_fresh
from ghl_payments.defs.automation.jobs import SCAN_TAG
from ghl_payments.defs.checks import contract_result, contract_spec, verdict_of
from ghl_payments.defs.partitions import location_partitions
from ghl_payments.defs.turn import Turn, explained, turn_of
from ghl_payments.domain.streams import LIST_STREAMS
from ghl_payments.warehouse.queries import dicts


class ReadConfig(dg.Config):
    """`only_if_stale`: a complete reading that the claim gate still accepts is not repeated."""

    only_if_stale: bool = False


def actual_asset(system: TargetSystem, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """One step reads a system's record types, because a connection is read once for all its locations."""
    keys = {name: dg.AssetKey(["actual", f"{system.name}_{name}"]) for name in system.record_types}

    @dg.multi_asset(
        name=f"actual_{system.name}",
        group_name="actual",
        partitions_def=partitions,
        specs=[
            dg.AssetSpec(
                key,
                kinds={"python", "duckdb"},
                owners=["team:payments"],
                description=f"Every {name} that {system.name} holds, ours and unmanaged ones.",
                deps=_read_before(system),
            )
            for name, key in keys.items()
        ],
        check_specs=[contract_spec(key) for key in keys.values()],
    )
    def read(context: dg.AssetExecutionContext, config: ReadConfig) -> Iterator[dg.MaterializeResult]:
        turn = turn_of(context)
        connections = [c for c in turn.settings.targets(turn.location) if c.system == system.name]
        with explained():
            metrics = {
                c.name: {}
                if config.only_if_stale and _is_fresh(turn, system, c)
                else asyncio.run(_read(turn, system, c, hot=context.run.tags.get(SCAN_TAG) == "hot"))
                for c in connections
            }
            for name, types in metrics.items():
                for record_type, found in types.items():
                    if found.get("limits"):
                        context.log.info(f"{name} {record_type}: {found['limits']}")
        yield from _results(turn, keys, metrics)

    return read


def _is_fresh(turn: Turn, system: TargetSystem, connection: Connection) -> bool:
    return is_fresh(turn.warehouse, connection.name, (*system.auxiliary_types, *system.record_types))


def _read_before(system: TargetSystem) -> list[dg.AssetKey]:
    """What must be known before a system can be asked for records that it cannot list.

    That is what GHL lists, and for GHL itself the deliveries that the other systems know.
    """
    if not system.keyed_types:
        return []
    others = [other for other in target_systems().values() if system.name == "ghl" and other.name != "ghl"]
    return [
        *(dg.AssetKey(["raw", stream]) for stream in LIST_STREAMS),
        *(dg.AssetKey(["actual", f"{other.name}_{name}"]) for other in others for name in other.record_types),
    ]


def _results(
    turn: Turn, keys: dict[str, dg.AssetKey], metrics: dict[str, dict[str, dict[str, Any]]]
) -> Iterator[dg.MaterializeResult]:
    """One result a record type; what was read of the connections is judged once for all of them."""
    counts: dict[str, tuple[int, int]] = {}
    checks: list[dg.AssetCheckResult] = []
    levels: list[dict[str, Any]] = []
    if metrics:
        with turn.warehouse.open() as con:
            rows = con.execute(
                "select record_type, count(*), count(*) filter (where key is null) from actual.records "
                "where list_contains(?, connection) group by record_type",
                [list(metrics)],
            ).fetchall()
            counts = {row[0]: (row[1], row[2]) for row in rows}
            checks = [contract_result(con, next(iter(keys.values())), ["actual.records"], name) for name in metrics]
            levels = dicts(
                con,
                "select connection, capability, level, evidence, forced, probed_at::varchar as probed_at "
                "from ops.capabilities where list_contains($connections, connection) order by all",
                {"connections": list(metrics)},
            )
    verdict = next((check for check in checks if not check.passed), checks[0] if checks else None)
    for record_type, key in keys.items():
        held, unmanaged = counts.get(record_type, (0, 0))
        yield dg.MaterializeResult(
            asset_key=key,
            metadata={
                "dagster/row_count": held,
                "unmanaged": unmanaged,
                "certificate": dg.MetadataValue.json({c: types.get(record_type, {}) for c, types in metrics.items()}),
                "capabilities": dg.MetadataValue.json(levels),
            },
            check_results=[verdict_of(key, verdict)],
        )


async def _read(turn: Turn, system: TargetSystem, connection: Connection, *, hot: bool) -> dict[str, dict[str, Any]]:
    connector = system.open(access_to(turn.settings, connection, turn.location))
    try:
        return await read_connection(
            ReadBack(
                connector=connector,
                target=describe_target(turn.settings, connection),
                warehouse=turn.warehouse,
                landing=turn.landing,
                turn_id=turn.turn_id,
                keys_sql=system.keys_sql if system.keyed_types else None,
                forced_levels=system.forced_levels(connection),
                hot=hot,
            )
        )
    finally:
        await connector.aclose()


@dg.definitions
def actual() -> dg.Definitions:
    """One step a target system."""
    partitions = location_partitions()
    return dg.Definitions(assets=[actual_asset(system, partitions) for system in target_systems().values()])
