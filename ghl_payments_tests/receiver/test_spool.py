"""The spool by itself: one fsync for many lines, new files, and what it does when the disk does not."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ghl_payments.domain.inbox import InboxEvent, begun_at, encode, file_name
from ghl_payments.receiver.memory import DeliveryMemory, UndatedCopies, delivery_key, recall
from ghl_payments.receiver.spool import Spool, SpoolFullError, SpoolUnavailableError


def line(number: int, size: int = 10) -> bytes:
    return encode(InboxEvent(datetime.now(UTC), "ghl", f"id-{number}", "ed25519", b"x" * size))


@asynccontextmanager
async def spool(folder: Path, **options: object) -> AsyncIterator[Spool]:
    opened = Spool(folder, **options)  # type: ignore[arg-type]
    opened.start()
    try:
        yield opened
    finally:
        assert opened.close()


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.ndjson"))


def text(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in files(folder))


def test_lines_that_wait_together_are_written_in_the_order_they_came(tmp_path: Path) -> None:
    lines = [line(number) for number in range(2000)]

    async def go() -> float:
        async with spool(tmp_path) as opened:
            began = time.perf_counter()
            await asyncio.gather(*map(opened.write, lines))
            return time.perf_counter() - began

    seconds = asyncio.run(go())
    assert text(tmp_path) == b"".join(lines)
    # An fsync for each would take 2,000 times as long as one.
    assert seconds < 2


def test_a_new_file_begins_at_a_size_and_its_name_is_later(tmp_path: Path) -> None:
    lines = [line(number, 400) for number in range(10)]

    async def go() -> None:
        async with spool(tmp_path, file_bytes=1000) as opened:
            for one in lines:
                await opened.write(one)

    asyncio.run(go())
    assert len(files(tmp_path)) > 2
    assert text(tmp_path) == b"".join(lines)


def test_a_new_file_begins_after_a_time_even_when_the_old_one_is_empty(tmp_path: Path) -> None:
    told: list[int] = []

    async def go() -> None:
        async with spool(tmp_path, file_seconds=0.2, on_new_file=lambda: told.append(1)) as opened:
            (first,) = files(tmp_path)
            await asyncio.sleep(0.3)
            await opened.write(line(1))
            assert not first.exists()
            await asyncio.sleep(0.3)
            await opened.write(line(2))

    asyncio.run(go())
    assert len(files(tmp_path)) == 2
    assert len(told) == 2


def test_a_name_is_later_than_all_others_though_the_clock_was_put_back(tmp_path: Path) -> None:
    ahead = datetime.now(UTC) + timedelta(days=2)
    (tmp_path / file_name(ahead, 1, 1)).write_bytes(line(1))

    async def go() -> None:
        async with spool(tmp_path) as opened:
            await opened.write(line(2))
            await opened.write(line(3))

    asyncio.run(go())
    first, second = files(tmp_path)
    begun = begun_at(second.name)
    assert begun is not None
    assert first.name < second.name
    assert begun > ahead


def test_an_unused_file_does_not_stay(tmp_path: Path) -> None:
    async def go() -> None:
        async with spool(tmp_path):
            assert len(files(tmp_path)) == 1

    asyncio.run(go())
    assert files(tmp_path) == []


def test_what_waits_is_bounded_and_a_refused_line_is_never_written(tmp_path: Path) -> None:
    async def go() -> tuple[int, int]:
        opened = Spool(tmp_path, queue_bytes=1000)
        taken = [opened.write(line(number)) for number in range(4)]
        while opened.queued_bytes + len(line(10)) <= 1000:
            taken.append(opened.write(line(10)))
        with pytest.raises(SpoolFullError):
            opened.write(line(11))
        opened.start()
        await asyncio.gather(*taken)
        assert opened.queued_bytes == 0
        await opened.write(line(99))
        opened.close()
        return len(taken), text(tmp_path).count(b"\n")

    taken, written = asyncio.run(go())
    assert 4 <= taken < 20
    assert written == taken + 1


def test_room_is_left_on_the_disk_for_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def go() -> None:
        async with spool(tmp_path, spare_bytes=2**60) as opened:
            with pytest.raises(SpoolUnavailableError):
                await opened.write(line(1))
            assert opened.failing

    asyncio.run(go())
    assert text(tmp_path) == b""
    assert "are free on its disk" in caplog.text


def test_what_was_taken_before_a_stop_is_written_and_nothing_after(tmp_path: Path) -> None:
    async def go() -> None:
        opened = Spool(tmp_path)
        opened.start()
        taken = [opened.write(line(number)) for number in range(50)]
        assert await asyncio.to_thread(opened.close)
        await asyncio.gather(*taken)
        with pytest.raises(SpoolUnavailableError):
            opened.write(line(99))

    asyncio.run(go())
    assert text(tmp_path).count(b"\n") == 50


def event(delivery_id: str, verified: str = "ed25519", connection: str | None = "ghl") -> InboxEvent:
    return InboxEvent(datetime.now(UTC), "ghl", delivery_id, verified, b"{}", connection)


def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    memory = DeliveryMemory(limit=100)
    keys = [delivery_key(event(str(number))) for number in range(250)]
    for key in keys:
        memory.remember(key)
    assert len(memory) == 100
    assert [memory.known(key) for key in (keys[0], keys[149], keys[150], keys[-1])] == [False, False, True, True]


def test_a_delivery_whose_write_failed_is_forgotten() -> None:
    async def go() -> None:
        memory, key = DeliveryMemory(), delivery_key(event("1"))
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        memory.expect(key, future)
        assert memory.pending(key) is future
        future.set_exception(SpoolUnavailableError())
        await asyncio.sleep(0)
        assert memory.pending(key) is None
        assert not memory.known(key)

    asyncio.run(go())


def test_senders_and_grades_of_proof_do_not_hide_one_another() -> None:
    kinds = {delivery_key(event("1", *kind)) for kind in [("ed25519", "ghl"), ("secret", "ghl"), ("secret", "other")]}
    assert len(kinds) == 3
    assert delivery_key(event("1", "rsa")) == delivery_key(event("1", "ed25519"))


def write_files(folder: Path, count: int, make: Callable[[int], bytes]) -> None:
    for number in range(count):
        at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=number)
        (folder / file_name(at, 1, 1)).write_bytes(make(number))


def test_recent_files_are_recalled_within_a_bound_the_newest_first(tmp_path: Path) -> None:
    write_files(tmp_path, 10, lambda number: encode(event(f"id-{number}")))
    size = files(tmp_path)[0].stat().st_size
    memory = DeliveryMemory()
    recall(tmp_path, memory, max_bytes=3 * size)
    known = [memory.known(delivery_key(event(f"id-{number}"))) for number in range(10)]
    assert known == [False] * 7 + [True] * 3


def test_lines_that_are_none_do_not_keep_the_others_from_being_recalled(tmp_path: Path) -> None:
    bad = [b"\n", b"no json\n", b"{}\n", b"[" * 5000 + b"\n", b"\xff\n", b'{"system": 1}\n']
    write_files(
        tmp_path, 1, lambda _: b"".join([encode(event("1")), *bad, encode(event("2")), encode(event("3"))[:-1]])
    )
    (tmp_path / "notes.ndjson").write_bytes(os.urandom(100))
    memory = DeliveryMemory()
    recall(tmp_path, memory)
    assert [memory.known(delivery_key(event(name))) for name in "123"] == [True, True, False]


def test_a_body_without_id_and_time_is_a_copy_at_once_and_news_later() -> None:
    copies = UndatedCopies()
    first = copies.delivery_id("mails", b"{}")
    assert first.startswith("sha256:")
    assert copies.delivery_id("mails", b"{}") == first
    assert copies.delivery_id("mails", b"[]") != first
    assert copies.delivery_id("others", b"{}") != first
    copies.SECONDS = 0.05  # type: ignore[misc]
    time.sleep(0.1)
    assert copies.delivery_id("mails", b"{}") != first
