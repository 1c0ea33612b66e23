"""Removes inbox files that were read and are old enough; bodies hold personal data.

Extend it when something else in the inbox may go. How far the inbox was read is the reader's to say, in `cursor.json`.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ghl_payments.domain.inbox import CURSOR_FILE, InboxCursor, begun_at

logger = logging.getLogger(__name__)

SHORTEST = timedelta(hours=2)
"""A file is written for an hour at most; until then it may grow, however much of it was read."""


def remove_read_files(folder: Path, keep_days: float, now: datetime | None = None) -> int:
    """Remove files last written more than `keep_days` ago of which every byte was read; how many there were.

    Without a cursor, and with 0 days, nothing is removed. Unread files stay whatever their age, and are warned of.
    OSError if the folder cannot be read.
    """
    if keep_days <= 0 or not folder.is_dir():
        return 0
    before = (now or datetime.now(UTC)) - max(timedelta(days=keep_days), SHORTEST)
    cursor = _cursor(folder / CURSOR_FILE)
    removed = unread = 0
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if begun_at(entry.name) is None or not _is_old(entry, before):
            continue
        if _is_read(cursor, entry):
            Path(entry).unlink(missing_ok=True)
            removed += 1
        else:
            unread += 1
    if unread:
        logger.warning(
            "%d inbox files in %s are older than %g days and were never taken down: see that Dagster's sensor "
            "webhook_inbox is on and that its runs succeed; the files are kept until then",
            unread,
            folder,
            keep_days,
        )
    return removed


def tell_cursor(folder: Path, cursor: InboxCursor) -> None:
    """For the reader: how far the inbox is read, once all that the cursor counts is kept; OSError if it fails."""
    fresh = folder / f".{CURSOR_FILE}.{os.getpid()}"
    fresh.write_text(cursor.text(), encoding="utf-8")
    fresh.replace(folder / CURSOR_FILE)


def _cursor(path: Path) -> InboxCursor:
    try:
        cursor = InboxCursor.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return InboxCursor()
    return cursor if not cursor.floor or begun_at(cursor.floor) else InboxCursor()


def _is_old(entry: os.DirEntry[str], before: datetime) -> bool:
    try:
        return entry.stat().st_mtime < before.timestamp()
    except FileNotFoundError:
        return False


def _is_read(cursor: InboxCursor, entry: os.DirEntry[str]) -> bool:
    offset = cursor.offset_in(entry.name)
    return offset is None or offset >= entry.stat().st_size
