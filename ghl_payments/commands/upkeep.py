"""`ghl-payments backfill` and `ghl-payments budget`: past months, and what is left of the vendors' limits.

Only options and answers stand here; what they do is in `backfill.py` and `budget.py`.
"""

from __future__ import annotations

from typing import Any

import click

from ghl_payments.commands.answers import CANNOT_TELL, DIFFERENCES, FINE, answers, print_json
from ghl_payments.settings import load_settings


@click.command()
@click.option("--from", "date_from", required=True, metavar="YYYY-MM[-DD]", help="The first month; months are whole.")
@click.option("--to", "date_to", metavar="YYYY-MM[-DD]", help="The last month, this one unless given.")
@click.option("--location", help="Only this location id.")
@click.option("--push", is_flag=True, help="Also send what is approved; otherwise that is left to the next run.")
@click.option("--restart", is_flag=True, help="Begin anew instead of going on with an unfinished one.")
@click.option("--json", "as_json", is_flag=True)
@answers
def backfill(
    date_from: str, date_to: str | None, location: str | None, push: bool, restart: bool, as_json: bool
) -> int:
    """Read past months at the lowest priority, then compare once; goes on where the same command was cut short."""
    from ghl_payments.commands import published, show
    from ghl_payments.commands.dates import read_window

    settings = load_settings()
    window = read_window(date_from, date_to, settings.now().date())
    chosen = [settings.location(location).id] if location else [item.id for item in settings.locations]
    # Dagster takes seconds to import, which a wrong date need not wait for.
    from ghl_payments.commands import backfill as work

    try:
        report = work.run_backfill(settings, chosen, window, _to_stderr, push=push, restart=restart)
    except KeyboardInterrupt:
        _to_stderr(f"Stopped. {work.GOES_ON}")
        return CANNOT_TELL
    standing: dict[str, Any] = {"diffs": {"open": None, "by": []}, "changes": {}}
    if settings.reports.exists():
        with published.connect(settings.reports) as con:
            standing = {"diffs": published.diff_summary(con), "changes": published.change_summary(con)}
    if as_json:
        print_json(work.as_json(report) | standing)
    else:
        click.echo(work.as_text(report) + "\n\n" + show.diff_lines(standing["diffs"]))
    if report.failures:
        return CANNOT_TELL
    return DIFFERENCES if standing["diffs"]["open"] or report.incomplete else FINE


def _to_stderr(line: str) -> None:
    click.echo(line, err=True)


@click.command()
@click.option("--json", "as_json", is_flag=True)
@answers
def budget(as_json: bool) -> int:
    """What each account's request limits are, what of them is spent, left and reserved; also while a run goes on."""
    from ghl_payments.commands import budget as shown

    path = load_settings().home / "budget.sqlite3"
    buckets = shown.read(path)
    print_json(shown.as_json(buckets)) if as_json else click.echo(shown.as_text(buckets, path))
    return FINE
