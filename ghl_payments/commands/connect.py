"""`ghl-payments connect`: its options, where it prints and what it asks for.

Add an option here; how a location gets connected belongs to `consent.py`.
"""

from __future__ import annotations

import sys

import click

from ghl_payments.commands.answers import DIFFERENCES, FINE, answers, print_json


@click.command()
@click.option("--location", required=True, help="The location id.")
@click.option("--code", help="The code, or the whole address that the browser came back to; - reads it from stdin.")
@click.option("--listen", type=click.IntRange(0, 65535), metavar="PORT", help="Wait on 127.0.0.1 for the browser.")
@click.option("--wait", type=click.FloatRange(min=1), default=300.0, show_default=True, help="Seconds to --listen.")
@click.option("--json", "as_json", is_flag=True)
@answers
def connect(location: str, code: str | None, listen: int | None, wait: float, as_json: bool) -> int:
    """Connect a location, or its agency, with a GHL marketplace app: asks for consent, then keeps the tokens."""
    from ghl_payments.commands.consent import run_connect
    from ghl_payments.settings import load_settings

    report = run_connect(
        load_settings(),
        location,
        answer=sys.stdin.readline() if code == "-" else code,
        listen=listen,
        wait=wait,
        tell=_tell,
        prompt=None if as_json else _prompt,
    )
    if as_json:
        print_json(report.document())
    elif report.connected:
        click.echo(f"connected {report.location} ({report.user_type}); tokens are kept in {report.stored_in}")
    if report.reason and not as_json:
        click.echo(report.reason, err=True)
    return FINE if report.connected and not report.missing_scopes else DIFFERENCES


def _tell(url: str) -> None:
    """Before anything is answered, so not where a document is awaited."""
    click.echo(f"Open this page, choose the location and allow the app:\n\n{url}\n", err=True)


def _prompt() -> str:
    """Not shown while it is typed; a pipe is read as it is."""
    what = "The code, or the whole address that the browser came back to"
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    text: str = click.prompt(what, hide_input=True, err=True)
    return text
