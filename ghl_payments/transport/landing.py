"""Landing files: the bytes a system answered, one page a line, zstd, with the envelope of the request.

They are the evidence behind every later table, so a body is stored as it came.
What the lines mean belongs to the SQL that loads them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec
import zstandard

from ghl_payments.transport.jsontext import encode

LEVEL = 1
"""Compression level: the pages repeat so much that higher levels cost time and save little."""

_SKIM: msgspec.json.Decoder[msgspec.Raw] = msgspec.json.Decoder(msgspec.Raw)


class LandingWriter:
    """Writes one landing file; the file appears under its name only when complete and on disk.

    Lines are `{"envelope": {...}, "body": <JSON as it came>}`, or `"text"` instead of `"body"` for what is not JSON.
    While open it is `<path>.tmp`; when the block raises, what there is stays as `<path>.partial`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self._tmp = path.with_name(path.name + ".tmp")
        self._file: BinaryIO | None = None
        self._stream: zstandard.ZstdCompressionWriter | None = None

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._tmp.open("wb")
        self._stream = zstandard.ZstdCompressor(level=LEVEL).stream_writer(self._file, closefd=False)
        return self

    def append(self, envelope: Mapping[str, object], body: bytes, *, checked: bool = False) -> None:
        """Add a page. `checked`: the caller has parsed the body, so it need not be checked for being JSON again."""
        if self._stream is None:
            raise ValueError(f"{self.path.name} is not open")
        if checked or _is_json(body):
            # A raw line break in valid JSON is always between tokens, so a space means the same.
            if b"\n" in body or b"\r" in body:
                body = body.replace(b"\n", b" ").replace(b"\r", b" ")
            tail = b',"body":' + (body or b"null")
        else:
            tail = b',"text":' + encode(body.decode("utf-8", errors="replace"))
        self._stream.write(b'{"envelope":' + encode(envelope) + tail + b"}\n")
        self.lines += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None or self._stream is None:
            return
        self._stream.flush(zstandard.FLUSH_FRAME)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = self._stream = None
        name = self.path.name if kind is None else self.path.name + ".partial"
        self._tmp.replace(self.path.with_name(name))


def _is_json(body: bytes) -> bool:
    try:
        body.decode("utf-8")
        _SKIM.decode(body)
    except (UnicodeDecodeError, msgspec.DecodeError):
        return False
    return True
