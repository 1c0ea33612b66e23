"""Reading the inbox folder from a cursor, a bounded number of bytes at a time; nothing is written or removed.

The format of lines, names and cursors belongs to `domain/inbox.py`; what events lead to, to those who read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from ghl_payments.domain.inbox import InboxBatch, InboxCursor, InboxLine, Poison, begun_at, decode_lines

QUIET = timedelta(hours=3)
"""A writer begins a new file every hour, so nothing is added to a file that is this much older than the newest."""

LONGEST_LINE = 16 * 2**20
"""A line that does not end within this many bytes is none."""


def inbox_files(folder: Path) -> list[str]:
    """Names of the inbox's files, oldest first; OSError when the folder is not there."""
    return sorted(path.name for path in folder.iterdir() if begun_at(path.name) is not None)


def read_inbox(folder: Path, cursor: InboxCursor, max_bytes: int) -> InboxBatch:
    """The complete lines after the cursor, up to about `max_bytes` of them.

    A last line without its end is left for the next time. OSError when the folder cannot be read; a file that goes away
    meanwhile was removed by a person, and is passed over.
    """
    names = inbox_files(folder)
    batch = InboxBatch(cursor)
    offsets = {name: cursor.offset_in(name) or 0 for name in names if cursor.offset_in(name) is not None}
    for name in sorted(offsets):
        left = max_bytes - batch.read_bytes
        if left <= 0:
            batch.more = True
            break
        offsets[name] = _read_file(folder / name, offsets[name], left, batch)
    batch.cursor = _advanced(folder, cursor, offsets, names)
    return batch


def _read_file(path: Path, offset: int, max_bytes: int, batch: InboxBatch) -> int:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(max_bytes)
            while b"\n" not in data and len(data) < LONGEST_LINE and (further := file.read(max(max_bytes, 2**16))):
                data += further
            is_end = not file.read(1)
    except FileNotFoundError:
        return offset
    decoded = decode_lines(data, offset)
    batch.lines += [InboxLine(path.name, at, event) for at, event in decoded.events]
    batch.poison += [(path.name, poison) for poison in decoded.poison]
    # A torn line is read again each time; it must not keep later files from their turn.
    batch.read_bytes += decoded.next_offset - offset
    batch.more = batch.more or not is_end
    if decoded.next_offset == offset and len(data) >= LONGEST_LINE:
        batch.poison.append((path.name, Poison(offset, len(data), "a line without an end")))
        return offset + len(data)
    return decoded.next_offset


def _advanced(folder: Path, cursor: InboxCursor, offsets: dict[str, int], names: Sequence[str]) -> InboxCursor:
    """Files that are read to their end and receive nothing any more go below the floor, oldest first."""
    floor, newest = cursor.floor, begun_at(names[-1]) if names else None
    for name in sorted(offsets):
        begun = begun_at(name)
        if begun is None or newest is None or newest - begun < QUIET or _unread(folder / name, offsets[name]):
            break
        floor = name
    return InboxCursor(floor, {name: offset for name, offset in offsets.items() if name > floor and offset > 0})


def _unread(path: Path, offset: int) -> bool:
    """Whether a file has complete lines after the offset; the torn last line of a dead writer is none."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return b"\n" in file.read(LONGEST_LINE)
    except FileNotFoundError:
        return False
