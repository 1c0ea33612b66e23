"""How every command answers: its exit codes, JSON, and errors that name their own remedy.

Extend it when all commands answer in a further way; what a command does belongs to its own module.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from typing import Any

import click

from ghl_payments.connections import SettingsError

FINE, DIFFERENCES, CANNOT_TELL = 0, 1, 2


def answers(command: Callable[..., Any]) -> Callable[..., None]:
    """Errors that name their own remedy become one line on stderr and exit code 2, never a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            code = command(*args, **kwargs)
        except Exception as error:
            if not isinstance(error, _known()):
                raise
            click.echo(f"{error}", err=True)
            code = CANNOT_TELL
        sys.exit(code or FINE)

    return wrapped


def _known() -> tuple[type[Exception], ...]:
    """Imported for an error only: a command that needs no warehouse must not load one."""
    from ghl_payments.commands.own_sandbox import SandboxFailedError
    from ghl_payments.commands.published import NothingPublishedError
    from ghl_payments.domain.mapping import MappingError
    from ghl_payments.transport.budget_report import NoBudgetError
    from ghl_payments.transport.errors import ApiError
    from ghl_payments.warehouse.connection import ForeignWarehouseError, WarehouseBusyError
    from ghl_payments.warehouse.queries import SqlStepError

    warehouse = (WarehouseBusyError, ForeignWarehouseError, NothingPublishedError, NoBudgetError, SqlStepError)
    return (SettingsError, MappingError, ApiError, SandboxFailedError, *warehouse)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
