"""push/{system}: approved changes go out in waves, are read back and verified; then the diffs are taken again.

A new system's push comes from its connector; nothing is listed here.
"""

import asyncio
from datetime import UTC, datetime

import dagster as dg

from ghl_payments.connections import Connection
from ghl_payments.connectors.push import Push, PushResult
from ghl_payments.connectors.registry import TargetSystem, access_to, describe_target, target_systems
from ghl_payments.defs.outbox.changes import plan_all
from ghl_payments.defs.partitions import location_partitions
from ghl_payments.defs.reconciliation.again import read_ghl_again, reconcile_settled
from ghl_payments.defs.turn import Turn, explained, turn_of


def push_asset(system: TargetSystem, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The push to one system."""

    @dg.asset(
        name=system.name,
        key_prefix="push",
        group_name="push",
        kinds={"python"},
        owners=["team:payments"],
        partitions_def=partitions,
        deps=[dg.AssetKey(["outbox", "changes"]), *_pushed_before(system)],
        description=f"Changes written to {system.name} and proven by reading them back.",
    )
    def push(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        turn = turn_of(context)
        connections = [c for c in turn.settings.targets(turn.location) if c.system == system.name]
        started = datetime.now(UTC)
        with explained():
            results = {c.name: asyncio.run(_push(turn, system, c)) for c in connections}
            moved = any(r.sent or r.verdicts for r in results.values())
            if moved and system.name == "ghl":
                # What GHL was just given changes what the other systems should hold, still in this turn.
                read_ghl_again(turn, [c.name for c in connections], started)
            # Only what GHL was given can change what another system should hold.
            only = None if system.name == "ghl" else list(results)
            counts = reconcile_settled(turn, only) if moved else {}
            if moved and system.name == "ghl":
                plan_all(turn)
            for result in results.values():
                if result.error is not None:
                    raise result.error
        return dg.MaterializeResult(
            metadata={
                "sent": sum(result.sent for result in results.values()),
                "verdicts": dg.MetadataValue.json({name: result.verdicts for name, result in results.items()}),
                "diffs_after": dg.MetadataValue.json(counts),
            }
        )

    return push


def _pushed_before(system: TargetSystem) -> list[dg.AssetKey]:
    """GHL is written to first, because what it is given changes what the others should hold."""
    return [dg.AssetKey(["push", "ghl"])] if system.name != "ghl" and "ghl" in target_systems() else []


async def _push(turn: Turn, system: TargetSystem, connection: Connection) -> PushResult:
    # In preview the claim lets nothing leave, but what an earlier push left in doubt is still read back.
    connector = system.open(access_to(turn.settings, connection, turn.location))
    try:
        return await Push(
            connector=connector,
            target=describe_target(turn.settings, connection),
            warehouse=turn.warehouse,
            landing=turn.landing,
            location_id=turn.location.id,
            settle_seconds=turn.settings.settle_seconds,
            lock_folder=turn.settings.home / "locks",
            forced_levels=system.forced_levels(connection),
        ).run()
    finally:
        await connector.aclose()


@dg.definitions
def pushes() -> dg.Definitions:
    """One asset a target system."""
    partitions = location_partitions()
    return dg.Definitions(assets=[push_asset(system, partitions) for system in target_systems().values()])
