"""The command line: `ghl-payments --help` lists what there is.

Exit codes: 0 fine, 1 open differences or a failed check, 2 could not tell. What a command does belongs to `commands/`.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

import click
from dotenv import load_dotenv

from ghl_payments.commands.answers import CANNOT_TELL, DIFFERENCES, FINE, answers, print_json
from ghl_payments.commands.connect import connect
from ghl_payments.commands.init import init
from ghl_payments.commands.mapping import mapping
from ghl_payments.commands.upkeep import backfill, budget
from ghl_payments.commands.webhooks import webhooks
from ghl_payments.connections import SettingsError
from ghl_payments.domain.change_states import MOVES
from ghl_payments.domain.sandbox_identity import DEFAULT_NOW, DEFAULT_ORDERS, DEFAULT_PORT, DEFAULT_SEED
from ghl_payments.settings import Settings, load_settings


def _accounts(settings: Settings, connection: str) -> list[str]:
    """The names that a connection has in the warehouse: GHL as a target is one for each location."""
    known = [*settings.connections, *(c.name for place in settings.locations for c in settings.targets(place))]
    named = [name for name in dict.fromkeys(known) if connection in (name, name.partition("/")[0])]
    if not named:
        msg = f"no connection {connection!r}; known: {', '.join(dict.fromkeys(known))}"
        raise SettingsError(msg)
    return named


@click.group()
@click.option("--env-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Read settings from it.")
@click.option("--verbose", is_flag=True, help="Log progress to stderr.")
def main(env_file: Path | None, verbose: bool) -> None:
    """Reconcile GoHighLevel payments with the systems around them."""
    load_dotenv(env_file or Path(".env"), override=env_file is not None)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", level=logging.WARNING)
    if verbose:
        logging.getLogger("ghl_payments").setLevel(logging.INFO)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=DEFAULT_PORT, show_default=True, help="0 picks a free one.")
@click.option("--seed", default=DEFAULT_SEED, show_default=True)
@click.option("--orders", default=DEFAULT_ORDERS, show_default=True)
@click.option("--limits", type=click.Choice(["scaled", "vendor"]), default="scaled", show_default=True)
@click.option("--now", default=DEFAULT_NOW.isoformat(), show_default=True, help="Its clock stands still here.")
@click.option("--write-env", type=click.Path(dir_okay=False, path_type=Path), help="Write an env file pointing here.")
@click.option("--switch", "switches", multiple=True, metavar="NAME=VALUE", help="How a vendor behaves from the start.")
@answers
def sandbox(  # noqa: PLR0917 - click passes them by name
    host: str,
    port: int,
    seed: int,
    orders: int,
    limits: str,
    now: str,
    write_env: Path | None,
    switches: tuple[str, ...],
) -> None:
    """Serve the bundled sandbox: the vendors' APIs on loopback, with planted differences and faults on demand."""
    from ghl_payments.sandbox.server import serve
    from ghl_payments.sandbox.switches import SwitchError, read_switch

    try:
        instant = datetime.fromisoformat(now)
    except ValueError:
        msg = f"--now must be an ISO 8601 instant such as 2026-11-16T12:00:00Z, not {now!r}"
        raise SettingsError(msg) from None
    instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    try:
        serve(
            host=host,
            port=port,
            seed=seed,
            orders=orders,
            limits=cast(Literal["scaled", "vendor"], limits),
            now=instant,
            write_env=write_env,
            switches=dict(map(read_switch, switches)),
        )
    except SwitchError as error:
        msg = f"--switch: {error}"
        raise SettingsError(msg) from None
    except OSError as error:
        msg = f"{host}:{port} cannot be used ({error.strerror or error}); name another with --port, 0 picks a free one"
        raise SettingsError(msg) from None


@main.command()
@click.option("--seed", default=DEFAULT_SEED, show_default=True)
@click.option("--orders", type=click.IntRange(min=1000), default=DEFAULT_ORDERS, show_default=True)
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Leave warehouse and reports here.")
@answers
def demo(seed: int, orders: int, keep: Path | None) -> int:
    """Run the loop twice and a webhook's round trip against a sandbox of its own; 0 if all converged."""
    from ghl_payments.commands.demo import run_demo

    return FINE if run_demo(click.echo, seed=seed, orders=orders, keep=keep) else DIFFERENCES


@main.command()
@click.option("--port", default=3000, show_default=True, help="Where Dagster listens.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=".sandbox", show_default=True)
@click.option("--seed", default=DEFAULT_SEED, show_default=True)
@click.option("--orders", default=DEFAULT_ORDERS, show_default=True)
@answers
def dev(port: int, folder: Path, seed: int, orders: int) -> int:
    """Serve a sandbox and Dagster's UI on this machine until Ctrl-C; starts from nothing each time."""
    from ghl_payments.commands.dev import run_dev

    return FINE if run_dev(click.echo, port=port, folder=folder.resolve(), seed=seed, orders=orders) else CANNOT_TELL


@main.command()
@click.option("--json", "as_json", is_flag=True)
@answers
def check(as_json: bool) -> int:
    """Whether settings, credentials, scopes, clocks and files are as a run needs them; each failure with its remedy."""
    from ghl_payments.commands.check import report, run_check

    findings = run_check(load_settings())
    fine = all(finding.state != "failed" for finding in findings)
    print_json({"ok": fine, "checks": [asdict(f) for f in findings]}) if as_json else click.echo(report(findings))
    return FINE if fine else DIFFERENCES


@main.command()
@click.option("--location", help="Only this location id.")
@click.option("--from", "date_from", metavar="YYYY-MM[-DD]", help="Scan only from here on, whatever --scan says.")
@click.option("--to", "date_to", metavar="YYYY-MM[-DD]", help="Scan only up to here.")
@click.option("--scan", type=click.Choice(["full", "warm", "hot"]), default="full", show_default=True)
@click.option("--json", "as_json", is_flag=True)
@answers
def run(location: str | None, date_from: str | None, date_to: str | None, scan: str, as_json: bool) -> int:
    """Run the loop once: extract, read back, reconcile, plan, push, verify, publish."""
    from ghl_payments.commands import published, show
    from ghl_payments.commands.dates import read_window

    settings = load_settings()
    if date_from or date_to:
        window = read_window(date_from, date_to, settings.now().date())
        date_from, date_to = window.first.isoformat(), window.last.isoformat()
    chosen = [settings.location(location).id] if location else [item.id for item in settings.locations]
    logging.getLogger("ghl_payments").setLevel(logging.INFO)
    from ghl_payments.commands.loop import Scan, run_loop

    result = run_loop(chosen, date_from=date_from, date_to=date_to, scan=cast(Scan, scan))
    report: dict[str, Any] = {
        "run_id": result.run_id, "runs": result.runs, "seconds": result.seconds, "streams": result.streams,
        "failures": result.failures, "diffs": {"open": None, "by": []}, "changes": {}, "brakes": [],
    }  # fmt: skip
    if settings.reports.exists():
        with published.connect(settings.reports) as con:
            standing = published.status(con)
            report |= {name: standing[name] for name in ("diffs", "changes", "irreversible", "brakes")}
    print_json(report) if as_json else click.echo(show.run_report(report))
    if result.failures:
        return CANNOT_TELL
    return DIFFERENCES if report["diffs"]["open"] else FINE


@main.command()
@click.option("--json", "as_json", is_flag=True)
@answers
def status(as_json: bool) -> int:
    """How complete the data is, what is open, what was changed."""
    from ghl_payments.commands import published, show

    with published.connect(load_settings().reports) as con:
        report = published.status(con)
    print_json(report) if as_json else click.echo(show.status_report(report))
    return DIFFERENCES if report["diffs"]["open"] else FINE


@main.command()
@click.option("--state", type=click.Choice(["open", "closed", "ignored"]))
@click.option("--json", "as_json", is_flag=True)
@answers
def diffs(state: str | None, as_json: bool) -> int:
    """Every difference with its kind, reason, money and age."""
    from ghl_payments.commands import published, show

    with published.connect(load_settings().reports) as con:
        rows = published.diffs(con, state=state)
    print_json(rows) if as_json else click.echo(show.diff_table(rows))
    return DIFFERENCES if any(row["state"] == "open" for row in rows) else FINE


@main.command()
@click.option("--state", type=click.Choice(list(MOVES)))
@click.option("--json", "as_json", is_flag=True)
@answers
def changes(state: str | None, as_json: bool) -> int:
    """Every intended write and how it stands."""
    from ghl_payments.commands import published, show

    with published.connect(load_settings().reports) as con:
        rows = published.changes(con, state=state)
    print_json(rows) if as_json else click.echo(show.change_table(rows))
    return FINE


@main.command()
@click.option("--connection", required=True, help="The connection whose refused changes are to be tried again.")
@click.option("--change", "change_id", help="Only this change id.")
@answers
def retry(connection: str, change_id: str | None) -> int:
    """Try refused changes again in the next run, after their cause was settled in the target."""
    from ghl_payments.defs.turn import open_warehouse
    from ghl_payments.warehouse import outbox

    settings = load_settings()
    names = _accounts(settings, connection)
    with open_warehouse(settings).open() as con:
        ids = [i for name in names for i in outbox.retry(con, name, change_id, as_of=datetime.now(UTC))]
    click.echo(f"{len(ids)} refused changes on {connection} will be planned anew by the next run")
    return FINE


@main.command()
@click.option("--connection", required=True, help="The connection whose brakes are right to be released.")
@answers
def release(connection: str) -> int:
    """Release a connection's brakes after looking into the target; the next run may create records again."""
    from ghl_payments.defs.turn import open_warehouse
    from ghl_payments.warehouse import outbox

    settings: Settings = load_settings()
    names = _accounts(settings, connection)
    with open_warehouse(settings).open() as con:
        released = [(name, *row) for name in names for row in outbox.release(con, name, as_of=datetime.now(UTC))]
    for name, brake, record_type in released:
        click.echo(f"released {brake} on {name} {record_type}")
    if not released:
        click.echo(f"no active brake on {connection}")
    return FINE


main.add_command(backfill)
main.add_command(budget)
main.add_command(connect)
main.add_command(init)
main.add_command(mapping)
main.add_command(webhooks)

if __name__ == "__main__":
    main()
