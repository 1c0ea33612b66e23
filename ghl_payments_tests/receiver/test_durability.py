"""Nothing that got a 200 is lost: kills, full disks, folders that vanish, restarts."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from ghl_payments.connections import SettingsError
from ghl_payments.receiver.app import Receiver
from ghl_payments.receiver.memory import DeliveryMemory
from ghl_payments.receiver.spool import Spool
from ghl_payments.settings import load_settings
from ghl_payments_tests.receiver.support import (
    NotStartedError,
    RunningReceiver,
    environment,
    events_in,
    legacy_signed,
    order_event,
    signed,
)
from ghl_payments_tests.running_sandbox import loopback_client

Start = Callable[..., RunningReceiver]


def send_until_refused(base_url: str, accepted: list[str]) -> None:
    with loopback_client(base_url) as http:
        while True:
            body = order_event()
            try:
                answer = http.post("/webhooks/ghl", content=body, headers=signed(body))
            except httpx.TransportError:
                return
            if answer.status_code == 200:
                accepted.append(json.loads(body)["webhookId"])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_receiver_that_ends_in_the_middle_loses_nothing_that_got_a_200(start: Start, number: int) -> None:
    receiver = start()
    accepted: list[str] = []
    with ThreadPoolExecutor(6) as pool:
        for _ in range(6):
            pool.submit(send_until_refused, receiver.base_url, accepted)
        time.sleep(1)
        receiver.stop(number)
    assert len(accepted) > 50
    assert set(accepted) <= {event.delivery_id for event in events_in(receiver.inbox)}


def test_a_request_that_was_begun_is_finished_by_a_stop(start: Start) -> None:
    receiver = start()
    body = order_event()

    def slowly() -> object:
        yield body[:10]
        time.sleep(0.5)
        receiver.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        yield body[10:]

    answer = receiver.http.post("/webhooks/ghl", content=slowly(), headers=signed(body))  # type: ignore[arg-type]
    assert answer.status_code == 200
    assert receiver.stop() == 0
    assert [event.body for event in events_in(receiver.inbox)] == [body]


def test_a_copy_that_comes_after_a_restart_is_still_a_copy(start: Start) -> None:
    body, hook = order_event(), json.dumps({"Metadata": {"Date": "2026-01-01T00:00:00Z"}}).encode()
    path = "/webhooks/parcels/hook-secret-that-nobody-may-ever-see"
    first = start()
    assert first.deliver(body).json()["copy"] is False
    assert first.post(hook, path=path).json()["copy"] is False
    first.stop(signal.SIGKILL)
    second = start()
    assert second.deliver(body).json()["copy"] is True
    assert second.post(hook, path=path).json()["copy"] is True
    assert len(second.events()) == 2


def test_a_torn_line_of_a_dead_receiver_is_neither_remembered_nor_continued(start: Start) -> None:
    body = order_event()
    first = start()
    first.deliver(body)
    first.stop(signal.SIGKILL)
    (path,) = first.inbox.glob("*.ndjson")
    torn = path.read_bytes()[:-20]
    path.write_bytes(torn)
    second = start()
    assert second.deliver(body).json()["copy"] is False
    assert path.read_bytes() == torn
    assert [event.body for event in second.events()] == [body]


def fill(receiver: RunningReceiver) -> None:
    """No file may grow any more, as on a full disk; a limit that a process has from outside."""
    written = max(path.stat().st_size for path in receiver.inbox.glob("*.ndjson"))
    resource.prlimit(receiver.process.pid, resource.RLIMIT_FSIZE, (written // 2, resource.RLIM_INFINITY))


def make_room(receiver: RunningReceiver) -> None:
    resource.prlimit(receiver.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_a_full_disk_makes_senders_come_again_and_they_are_taken_when_there_is_room(start: Start) -> None:
    receiver = start()
    before, during = [order_event() for _ in range(3)], [order_event() for _ in range(20)]
    assert {receiver.deliver(body).status_code for body in before} == {200}
    fill(receiver)
    answers = [receiver.deliver(body) for body in during]
    assert {answer.status_code for answer in answers} == {429}
    assert {answer.headers["retry-after"] for answer in answers} == {"30"}
    health = receiver.http.get("/healthz")
    assert (health.status_code, health.json()["ok"]) == (503, False)
    make_room(receiver)
    time.sleep(1.1)
    assert {receiver.deliver(body).json()["copy"] for body in during} == {False}
    assert receiver.http.get("/healthz").status_code == 200
    bodies = [event.body for event in receiver.events()]
    assert set(bodies) == {*before, *during}
    told = [line for line in receiver.output.splitlines() if "cannot be written" in line]
    assert len(told) == 1
    assert "File too large" in told[0]
    assert "GHL_PAYMENTS_INBOX" in told[0]
    assert "free space" in told[0]


def test_an_inbox_that_was_cleared_away_is_made_again(start: Start) -> None:
    receiver = start()
    receiver.deliver(order_event())
    shutil.rmtree(receiver.inbox)
    body = order_event()
    assert receiver.deliver(body).status_code == 200
    assert [event.body for event in receiver.events()] == [body]


def test_an_inbox_that_was_moved_away_gets_nothing_any_more(start: Start) -> None:
    receiver = start()
    receiver.deliver(order_event())
    receiver.inbox.rename(receiver.inbox.with_name("elsewhere"))
    receiver.inbox.write_text("a file where the folder was")
    body = order_event()
    with ThreadPoolExecutor(4) as pool:
        copies = list(pool.map(receiver.deliver, [body] * 4))
    assert {answer.status_code for answer in copies} == {429}
    receiver.inbox.unlink()
    time.sleep(1.1)
    assert receiver.deliver(body).json() == {"stored": True, "copy": False}
    assert [event.body for event in receiver.events()] == [body]


def test_an_inbox_that_cannot_be_made_is_said_at_the_start(start: Start, tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    with pytest.raises(
        NotStartedError, match=r"cannot be written \(Not a directory\): let this process make and write"
    ):
        start(GHL_PAYMENTS_INBOX=str(tmp_path / "in the way" / "inbox"))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"GHL_PAYMENTS_WEBHOOK_PUBLIC_KEY": "/nowhere/key.pem"}, "PUBLIC_KEY names a file that cannot be read"),
        ({"GHL_PAYMENTS_WEBHOOK_PUBLIC_KEY": "-----BEGIN PUBLIC KEY-----"}, "PUBLIC_KEY holds no public key"),
        ({"PARCELS_SECRET": "short"}, r"PARCELS_SECRET .*connections\.yaml:4\) must have 24 to 256"),
        ({"PARCELS_SECRET": "with/slashes/in/it/which/split/paths"}, r"PARCELS_SECRET .*secrets\.token_urlsafe"),
        ({"PARCELS_SECRET": ""}, "PARCELS_SECRET is not set"),
        ({"GHL_PAYMENTS_WEBHOOK_HMAC_HEADER": ""}, "set GHL_PAYMENTS_WEBHOOK_HMAC_HEADER, or leave the key out"),
        ({"GHL_PAYMENTS_WEBHOOK_REPLAY_DAYS": "a month"}, "must be a number of days"),
    ],
)
def test_settings_that_will_not_do_are_said_with_their_remedy(
    tmp_path: Path, values: dict[str, str], told: str
) -> None:
    with pytest.raises(SettingsError, match=told) as error:
        Receiver(load_settings(environment(tmp_path, **values)), Spool(tmp_path), DeliveryMemory())
    assert "with/slashes" not in str(error.value)


def test_a_start_that_fails_is_one_line(start: Start) -> None:
    with pytest.raises(NotStartedError) as error:
        start(PARCELS_SECRET="short")
    assert str(error.value).count("\n") == 1


def test_ghls_own_keys_are_in_force_where_no_other_is_named(start: Start) -> None:
    receiver = start(GHL_PAYMENTS_WEBHOOK_PUBLIC_KEY="", GHL_PAYMENTS_WEBHOOK_LEGACY_KEY="")
    body = order_event()
    assert receiver.deliver(body).status_code == 401


def test_the_legacy_signature_can_be_switched_off(start: Start) -> None:
    receiver = start(GHL_PAYMENTS_WEBHOOK_LEGACY_KEY="off")
    body = order_event()
    assert receiver.post(body, legacy_signed(body)).status_code == 401
    assert receiver.deliver(body).status_code == 200


def test_a_replay_window_of_no_days_lets_any_age_pass(start: Start) -> None:
    receiver = start(GHL_PAYMENTS_WEBHOOK_REPLAY_DAYS="0")
    assert receiver.deliver(order_event(timestamp="2001-01-01T00:00:00Z")).status_code == 200


def test_a_taken_port_is_one_line(start: Start) -> None:
    receiver = start()
    done = subprocess.run(
        [sys.executable, "-m", "ghl_payments.cli", "webhooks", "--port", str(receiver.port)],
        capture_output=True, text=True, cwd=receiver.inbox.parent, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "name another with --port" in done.stderr
    assert "Traceback" not in done.stderr
