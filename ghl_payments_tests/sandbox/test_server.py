"""The sandbox process: ready line, env file, determinism, stopping."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import yaml

from ghl_payments.domain.sandbox_identity import sandbox_identity
from ghl_payments.sandbox.vendors import vendor_modules
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.running_sandbox import loopback_client, start_process


def ready_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The one line on stdout, decoded."""
    assert process.stdout is not None
    ready: dict[str, Any] = msgspec.json.decode(process.stdout.readline())
    return ready


def test_the_ready_line_says_how_to_reach_and_enter_every_system(sandbox: SandboxFactory) -> None:
    ready, identity = sandbox(seed=3).ready, sandbox_identity(3)
    assert (ready["ready"], ready["now"], ready["limits"]) == (True, "2026-11-16T12:00:00Z", "scaled")
    ghl, halo = ready["systems"]["ghl"], ready["systems"]["halo"]
    assert (ghl["base_url"], halo["base_url"]) == (f"{ready['base_url']}/ghl", f"{ready['base_url']}/halo")
    assert [location["token"] for location in ghl["locations"]] == [location.token for location in identity.locations]
    assert (ghl["rate"], halo["rate"]) == ({"requests": 10000, "seconds": 10}, {"requests": 30000, "seconds": 300})
    assert (halo["tenant"], halo["client_secret"]) == (identity.halo_tenant, identity.halo_client_secret)
    assert ghl["oauth"]["client_id"] == identity.oauth_client_id


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_within_a_second_with_exit_code_0(number: signal.Signals) -> None:
    process = start_process("--port", 0, "--orders", 0)
    base_url = ready_line(process)["base_url"]
    with loopback_client(base_url) as client:
        client.post("/_sandbox/faults", json={"fault": "latency", "seconds": 60}).raise_for_status()
        with pytest.raises(httpx.ReadTimeout):
            client.get("/halo/api/authinfo", timeout=0.1)
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(5) == 0
        assert time.monotonic() - began < 1
    assert process.stdout is not None
    assert process.stdout.read() == ""
    process.stdout.close()


def test_the_env_file_points_at_this_sandbox_and_a_home_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "demo.env"
    process = start_process("--port", 0, "--orders", 0, "--write-env", path, "--now", "2026-01-02T03:04:05Z")
    base_url = ready_line(process)["base_url"]
    process.terminate()
    process.communicate(timeout=5)
    values = dict(line.split("=", 1) for line in path.read_text().splitlines())
    home = tmp_path / "demo.d"
    assert values["GHL_PAYMENTS_HOME"] == str(home)
    for name in ("CONNECTIONS", "WAREHOUSE", "REPORTS", "LANDING", "INBOX"):
        assert Path(values[f"GHL_PAYMENTS_{name}"]).is_relative_to(home)
    assert values["GHL_PAYMENTS_AS_OF"] == "2026-01-02T03:04:05Z"
    assert values["GHL_PAYMENTS_SETTLE_SECONDS"] == "0"
    assert values["GHL_PAYMENTS_SANDBOX_URL"] == base_url
    connections = yaml.safe_load(Path(values["GHL_PAYMENTS_CONNECTIONS"]).read_text())
    ghl = {"system": "ghl", "base_url": f"{base_url}/ghl", "live": True, "policy": "auto"}
    assert connections["connections"]["ghl"] == ghl
    halo = connections["connections"]["halo"]
    assert (halo["base_url"], halo["live"], halo["policy"]) == (f"{base_url}/halo", True, "auto")
    assert halo["rate"] == {"requests": 30000, "seconds": 300}
    assert all(name in values for name in halo["credentials"].values())
    assert [location["ghl"]["token"] for location in connections["locations"]] == ["GHL_TOKEN_1", "GHL_TOKEN_2"]
    assert all(location["targets"] == list(vendor_modules()) for location in connections["locations"])


def test_the_same_seed_gives_the_same_bytes_in_state_and_pages() -> None:
    answers = []
    for _ in range(2):
        process = start_process("--port", 0, "--orders", 40, "--seed", 5)
        ready = ready_line(process)
        location = ready["systems"]["ghl"]["locations"][0]
        headers = {"Authorization": f"Bearer {location['token']}", "Version": "v3"}
        with loopback_client(ready["base_url"], headers) as client:
            page = client.get(
                "/ghl/payments/transactions", params={"altId": location["id"], "altType": "location", "limit": 100}
            )
            answers.append((client.get("/_sandbox/state").content, page.content))
        process.terminate()
        process.communicate(timeout=5)
    assert page.json()["totalCount"] > 10
    assert answers[0] == answers[1]


def test_a_taken_port_is_an_error_and_no_ready_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start_process("--port", taken.getsockname()[1], "--orders", 0)
        output, _ = process.communicate(timeout=20)
    assert (process.returncode, output) == (1, "")


def test_a_switch_that_no_system_has_is_an_error_and_no_ready_line() -> None:
    process = start_process("--port", 0, "--orders", 0, "--switch", "nobody_knows=1")
    output, _ = process.communicate(timeout=20)
    assert (process.returncode, output) == (2, "")


def test_handed_out_sandboxes_are_separate_and_fresh(sandbox: SandboxFactory) -> None:
    one, other = sandbox(), sandbox()
    assert one.base_url != other.base_url
    assert one.env["GHL_PAYMENTS_HOME"] != other.env["GHL_PAYMENTS_HOME"]
    with one.halo() as halo:
        halo.post("/api/Client", json=[{"name": "New"}])
    assert (len(one.effects()), len(other.effects())) == (1, 0)
