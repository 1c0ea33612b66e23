"""The token file: private, durable, whole at any time, one writer, and errors that say what to do without its content."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghl_payments.transport.token_store import Consent, StoredToken, TokenStore, TokenStoreError
from ghl_payments_tests.running_sandbox import ROOT

TOKEN = StoredToken(
    access_token="access-in-the-clear", refresh_token="refresh-in-the-clear", obtained_at=1000.0, expires_at=2000.0,
    app="app", scope="a b", account={"locationId": "L"},
)  # fmt: skip
texts = st.text(max_size=40)
tokens = st.builds(
    StoredToken,
    access_token=texts,
    refresh_token=st.none() | texts,
    obtained_at=st.floats(0, 1e10),
    expires_at=st.floats(0, 1e10),
    app=texts,
    scope=texts,
    account=st.dictionaries(texts, texts, max_size=3),
    refresh_begun=st.none() | st.floats(0, 1e10),
)


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    return TokenStore(tmp_path / "home" / "tokens.json")


@given(held=st.dictionaries(texts, tokens, max_size=4))
@settings(max_examples=30, deadline=None)
def test_what_is_put_is_what_any_other_process_gets(
    tmp_path_factory: pytest.TempPathFactory, held: dict[str, StoredToken]
) -> None:
    path = tmp_path_factory.mktemp("store") / "tokens.json"
    for key, token in held.items():
        TokenStore(path).put(key, token)
    assert {key: TokenStore(path).get(key) for key in held} == held


def test_a_missing_file_holds_nothing_and_the_first_token_makes_it_and_its_folder(store: TokenStore) -> None:
    assert store.get("k") is None
    store.put("k", TOKEN)
    assert store.get("k") == TOKEN
    assert store.get("other") is None
    store.forget("k")
    store.forget("k")
    assert store.get("k") is None


def test_the_file_is_for_its_owner_only_whatever_the_umask_and_nothing_else_is_left(store: TokenStore) -> None:
    before = os.umask(0)
    try:
        store.put("k", TOKEN)
        store.put("k", TOKEN)
    finally:
        os.umask(before)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    others = [path for path in store.path.parent.iterdir() if path != store.path and path.stat().st_size]
    assert others == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_a_file_that_others_may_use_is_not_read_and_the_remedy_is_a_command(store: TokenStore, mode: int) -> None:
    store.put("k", TOKEN)
    store.path.chmod(mode)
    for use in (lambda: store.get("k"), lambda: store.put("k", TOKEN)):
        with pytest.raises(TokenStoreError, match=f"mode {mode:o}.*chmod 600 {store.path}"):
            use()


def test_another_version_is_refused_and_left_as_it_is(store: TokenStore) -> None:
    store.put("k", TOKEN)
    content = store.path.read_bytes().replace(b'"version":1', b'"version":2')
    store.path.write_bytes(content)
    with pytest.raises(TokenStoreError, match="has version 2, this program reads version 1"):
        store.put("k", TOKEN)
    assert store.path.read_bytes() == content


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version":1,"tokens":{"k":{"access_token":"in-the-clear"}}}', b"\xff\xfe"]
)
def test_a_damaged_file_is_named_without_its_content(store: TokenStore, content: bytes) -> None:
    store.put("k", TOKEN)
    store.path.write_bytes(content)
    with pytest.raises(TokenStoreError, match=r"tokens\.json is damaged; move it away.*ghl-payments connect") as caught:
        store.get("k")
    assert "in-the-clear" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_link_or_a_folder_in_place_of_the_file_is_a_clear_error(store: TokenStore, tmp_path: Path) -> None:
    store.path.parent.mkdir()
    store.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TokenStoreError, match="cannot be read"):
        store.get("k")
    store.path.unlink()
    store.path.mkdir()
    with pytest.raises(TokenStoreError, match="cannot be read"):
        store.get("k")


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TokenStoreError, match=r"cannot be (locked|read).*give this user the file and its folder"):
        TokenStore(tmp_path / "file" / "tokens.json").put("k", TOKEN)


def test_no_representation_shows_a_secret(store: TokenStore) -> None:
    store.put("k", TOKEN)
    got = store.get("k")
    assert got is not None
    for text in (repr(store), repr(got), str(got), f"{got}", repr(got.__rich_repr__()), repr([got])):
        assert "in-the-clear" not in text


def test_what_a_killed_writer_left_is_swept_away(store: TokenStore) -> None:
    store.put("k", TOKEN)
    left = Path(f"{store.path}.new")
    left.write_text("half of a secr")
    changed = msgspec.structs.replace(TOKEN, access_token="next")
    store.put("k", changed)
    assert store.get("k") == changed
    assert not left.exists()


def test_a_question_for_consent_is_kept_until_it_is_answered(store: TokenStore) -> None:
    store.ask("k", Consent("first", 1.0))
    store.ask("k", Consent("second", 2.0))
    store.put("k", TOKEN)
    assert store.asked("k") == Consent("second", 2.0)
    store.answered("k")
    assert store.asked("k") is None
    assert store.get("k") == TOKEN


def test_only_one_holder_has_the_turn_of_a_key_and_keys_do_not_wait_for_each_other(store: TokenStore) -> None:
    inside: list[str] = []

    async def enter(name: str, key: str) -> None:
        async with TokenStore(store.path).turn(key):
            inside.append(f"{name} in")
            await asyncio.sleep(0.1)
            inside.append(f"{name} out")

    async def main() -> None:
        await asyncio.gather(enter("a", "k"), enter("b", "k"))
        async with store.turn("k"), store.turn("other"):
            inside.append("both")

    asyncio.run(main())
    assert [entry.split()[1] for entry in inside[:4]] == ["in", "out", "in", "out"]
    assert inside[4:] == ["both"]


def test_a_turn_that_never_ends_is_an_error_that_names_the_lock(store: TokenStore) -> None:
    async def main() -> None:
        async with store.turn("k"), TokenStore(store.path).turn("k", seconds=0.1):
            pass

    with pytest.raises(TokenStoreError, match=r"tokens\.json\.[0-9a-f]+\.lock has been held .* by another process"):
        asyncio.run(main())


HOLD = """
import asyncio, sys
from pathlib import Path
from ghl_payments.transport.token_store import TokenStore
async def main():
    async with TokenStore(Path(sys.argv[1])).turn("k"):
        print("held", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
WRITE = """
import sys, time
from pathlib import Path
from ghl_payments.transport.token_store import StoredToken, TokenStore
store, me = TokenStore(Path(sys.argv[1])), sys.argv[2]
print("started", flush=True)
while not Path(sys.argv[4]).exists():
    time.sleep(0.001)
n = 0
while n < int(sys.argv[3]):
    n += 1
    store.put(me, StoredToken(access_token="x" * 2000, obtained_at=0, expires_at=n, app=me))
"""


def child(code: str, *words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_the_end_of_a_process_ends_its_turn(store: TokenStore) -> None:
    process = child(HOLD, store.path)

    async def main() -> None:
        with pytest.raises(TokenStoreError):
            async with store.turn("k", seconds=0.1):
                pass
        process.kill()
        async with store.turn("k", seconds=10):
            pass

    asyncio.run(main())
    process.communicate()


def test_processes_that_write_at_once_lose_nothing_of_each_other(store: TokenStore, tmp_path: Path) -> None:
    go = tmp_path / "go"
    writers = [child(WRITE, store.path, name, 30, go) for name in ("a", "b", "c")]
    go.touch()
    for writer in writers:
        writer.communicate(timeout=60)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert [getattr(store.get(name), "expires_at", None) for name in ("a", "b", "c")] == [30, 30, 30]


def test_a_kill_at_any_moment_leaves_a_whole_file(store: TokenStore) -> None:
    store.put("steady", TOKEN)
    for n in range(8):
        writer = child(WRITE, store.path, "busy", 1_000_000, store.path)
        time.sleep(0.02 + n * 0.013)
        writer.kill()
        writer.communicate()
        assert store.get("steady") == TOKEN
        store.put("after", TOKEN)
        assert store.get("after") == TOKEN
