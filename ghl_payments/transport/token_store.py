"""Rotating tokens in one file that all processes share: what was written is durable before anybody uses it.

Add a field to `StoredToken` when a sign-in must remember more; when and how tokens are fetched belongs to connectors.
Secrets that do not change come from the environment and never stand here.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

VERSION = 1
"""Of the file's layout; a file of any other is refused."""

TURN_SECONDS = 120.0
"""How long one waits for another process that is fetching the same token; it outlives two lost answers."""

_FILE_SECONDS = 20.0
_LOOK_AGAIN = 0.05


class TokenStoreError(Exception):
    """The token file cannot be used; the text names it, the reason and the remedy, never its content."""


class StoredToken(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One credential as the vendor last gave it. Times are epoch seconds; a repr shows no secret.

    `app` fingerprints the client and host that it belongs to. `refresh_begun` is set while a refresh is under way, and
    stays when its answer never came. `account` holds the vendor's ids, such as a company's.
    """

    access_token: str
    refresh_token: str | None = None
    obtained_at: float
    expires_at: float
    app: str
    scope: str = ""
    account: dict[str, str] = {}
    refresh_begun: float | None = None

    def __repr__(self) -> str:
        return f"StoredToken(app={self.app!r}, account={self.account!r}, expires_at={self.expires_at:.0f})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("app", self.app), ("account", self.account), ("expires_at", self.expires_at)]


class Consent(msgspec.Struct, frozen=True):
    """A consent that a person was asked for: the state's SHA-256, and until when an answer to it is taken."""

    state_hash: str
    until: float


class _Book(msgspec.Struct):
    version: int = VERSION
    tokens: dict[str, StoredToken] = {}
    consents: dict[str, Consent] = {}


class TokenStore:
    """The token file of one installation; every method reads it anew, so that all processes agree.

    TokenStoreError for a file that others may read, that cannot be read, or that is of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"TokenStore({str(self.path)!r})"

    def get(self, key: str) -> StoredToken | None:
        """The token under a key, None if there is none."""
        return self._read().tokens.get(key)

    def put(self, key: str, token: StoredToken) -> None:
        """Store a token; when this returns, a crash of the machine does not lose it."""
        self._change(lambda book: book.tokens.__setitem__(key, token))

    def forget(self, key: str) -> None:
        """Remove the token of a key, if there is one."""
        self._change(lambda book: book.tokens.pop(key, None))

    def ask(self, key: str, consent: Consent) -> None:
        """Remember that a person was asked for consent, in place of an earlier question."""
        self._change(lambda book: book.consents.__setitem__(key, consent))

    def asked(self, key: str) -> Consent | None:
        """The open question for consent, None if there is none."""
        return self._read().consents.get(key)

    def answered(self, key: str) -> None:
        """Forget the question; its answer was used."""
        self._change(lambda book: book.consents.pop(key, None))

    @asynccontextmanager
    async def turn(self, key: str, *, seconds: float = TURN_SECONDS) -> AsyncIterator[None]:
        """Only one task of one process at a time fetches the token of a key; read the store again once inside.

        The end of a process ends its turn. TokenStoreError when another one does not come to an end.
        """
        name = hashlib.sha256(key.encode()).hexdigest()[:12]
        lock = self._lock(f".{name}.lock")
        patience = time.monotonic() + seconds
        while not self._locked(lock, 0):
            if time.monotonic() >= patience:
                raise _held(lock, seconds)
            await asyncio.sleep(_LOOK_AGAIN)
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else writes the file while the block runs."""
        lock = self._lock(".lock")
        if not self._locked(lock, _FILE_SECONDS):
            raise _held(lock, _FILE_SECONDS)
        try:
            yield
        finally:
            lock.release()

    def _change(self, change: Callable[[_Book], Any]) -> None:
        with self.held():
            book = self._read()
            change(book)
            self._write(msgspec.json.encode(book))

    def _lock(self, suffix: str) -> FileLock:
        with self._explained("cannot be locked"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        # A lock object serves one holder; two of them exclude each other within a process as well.
        return FileLock(f"{self.path}{suffix}", thread_local=False)

    def _locked(self, lock: FileLock, seconds: float) -> bool:
        with self._explained("cannot be locked"):
            try:
                lock.acquire(timeout=seconds)
            except Timeout:
                return False
        return True

    def _read(self) -> _Book:
        with self._explained("cannot be read"):
            try:
                file = os.open(self.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            except FileNotFoundError:
                return _Book()
            with os.fdopen(file, "rb") as opened:
                mode = stat.S_IMODE(os.fstat(file).st_mode)
                if os.name == "posix" and mode & 0o077:
                    msg = f"{self.path} may be read by other users (mode {mode:03o}); run: chmod 600 {self.path}"
                    raise TokenStoreError(msg)
                content = opened.read()
        return self._decoded(content)

    def _decoded(self, content: bytes) -> _Book:
        try:
            version = msgspec.json.decode(content, type=_Versioned).version
            if version == VERSION:
                return msgspec.json.decode(content, type=_Book)
            msg = f"{self.path} has version {version}, this program reads version {VERSION}; use the newer program"
        except (msgspec.DecodeError, UnicodeDecodeError):
            # The decoder's own words could quote the content.
            msg = f"{self.path} is damaged; move it away, then run ghl-payments connect for each location"
        raise TokenStoreError(msg)

    def _write(self, content: bytes) -> None:
        """A whole new file in the place of the old one: a reader sees either, a crash leaves either."""
        new = Path(f"{self.path}.new")
        with self._explained("cannot be written"):
            with contextlib.suppress(FileNotFoundError):
                new.unlink()  # of a process that was killed here
            file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "wb") as opened:
                opened.write(content)
                opened.flush()
                os.fsync(file)
            new.replace(self.path)
            _sync_folder(self.path.parent)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            msg = f"{self.path} {what} ({reason}); give this user the file and its folder"
            raise TokenStoreError(msg) from None


def _held(lock: FileLock, seconds: float) -> TokenStoreError:
    return TokenStoreError(f"{lock.lock_file} has been held for {seconds:.0f} s by another process; end that one")


class _Versioned(msgspec.Struct):
    version: int


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; where folders cannot be opened (Windows) the system does it by itself."""
    if os.name != "posix":
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
