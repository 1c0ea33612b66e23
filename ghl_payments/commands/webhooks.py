"""`ghl-payments webhooks`: its options and where it prints.

Add an option here; how deliveries are received belongs to `receiver/`.
"""

from __future__ import annotations

import click

from ghl_payments.commands.answers import answers

DEFAULT_PORT = 8787


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="A reverse proxy with TLS stands in front.")
@click.option("--port", default=DEFAULT_PORT, type=click.IntRange(0, 65535), show_default=True, help="0 picks one.")
@answers
def webhooks(host: str, port: int) -> None:
    """Receive webhooks of GHL and hooks of other systems into the inbox, until Ctrl-C; see docs/webhooks.md."""
    from ghl_payments.receiver.server import serve
    from ghl_payments.settings import load_settings

    serve(load_settings(), host, port, click.echo)
