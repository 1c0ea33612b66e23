"""Telling an outage from bad luck with single documents.

Thresholds about series of requests belong here; retries of one request to `retry.py`.
"""

from __future__ import annotations

from ghl_payments.transport.errors import ApiError, Transient


class OutageGuard:
    """Lets single transient failures pass and raises when `limit` of them come in a row."""

    def __init__(self, limit: int = 20) -> None:
        self._limit = limit
        self._in_a_row = 0

    def note(self, error: ApiError | None) -> None:
        """Take one outcome; None and errors that concern one document only end a series."""
        self._in_a_row = self._in_a_row + 1 if isinstance(error, Transient) else 0
        if error is not None and self._in_a_row >= self._limit:
            raise error
