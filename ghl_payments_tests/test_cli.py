"""The command line as a whole: help, exit codes, and errors of one line that say what to do."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from ghl_payments.cli import main
from ghl_payments.defs.turn import open_warehouse
from ghl_payments.settings import load_settings
from ghl_payments_tests.commands.support import run
from ghl_payments_tests.conftest import SandboxFactory

COMMANDS = {
    "backfill",
    "budget",
    "changes",
    "check",
    "connect",
    "demo",
    "dev",
    "diffs",
    "init",
    "mapping",
    "release",
    "retry",
    "run",
    "sandbox",
    "status",
    "webhooks",
}


def test_help_names_every_command_with_a_sentence() -> None:
    said = CliRunner().invoke(main, ["--help"]).output
    assert set(main.commands) == COMMANDS
    for name, command in main.commands.items():
        assert f"  {name} " in said
        assert command.help


@pytest.mark.parametrize("named", ["ghl/{}", "ghl"])
def test_a_brake_on_ghl_as_a_locations_target_is_released_under_the_name_that_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings({})
    place = settings.locations[0].id
    with open_warehouse(settings).open() as con:
        con.execute(
            "insert into outbox.brakes values (?, 'empty_answer', 'provider', 'why', 0, 3, true, null, now()::timestamp)",
            [f"ghl/{place}"],
        )
    env = {name: None for name in os.environ if name.startswith("GHL_")}
    said = CliRunner().invoke(main, ["release", "--connection", named.format(place)], env=env)
    assert (said.exit_code, said.output) == (0, f"released empty_answer on ghl/{place} provider\n")
    unknown = CliRunner().invoke(main, ["release", "--connection", "ghl/nowhere"], env=env)
    assert unknown.exit_code == 2
    assert "known: ghl, " in unknown.output
    assert f"ghl/{place}" in unknown.output


@pytest.mark.parametrize("words", [("status",), ("diffs", "--json"), ("changes",)])
def test_without_a_published_copy_a_reading_command_says_how_to_get_one(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(tmp_path, *words)
    assert done.returncode == 2
    assert "`ghl-payments run` makes it" in done.stdout
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("words", [("check",), ("run",), ("status",)])
def test_a_malformed_connections_file_is_one_line_with_its_place_and_exit_code_2(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "connections.yaml").write_text("version: 1\nconections: {}\n", encoding="utf-8")
    done = run(tmp_path, *words)
    assert done.returncode == 2
    assert "connections.yaml:2: conections" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_run_without_any_system_says_which_and_how_to_start_the_sandbox(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GHL_TOKEN_1=some-token\n", encoding="utf-8")
    (tmp_path / "connections.yaml").write_text(nobody_there(), encoding="utf-8")
    done = run(tmp_path, "run")
    assert done.returncode == 2
    assert "No connection to 127.0.0.1:9; nothing was sent." in done.stdout
    assert "ghl-payments sandbox" in done.stdout
    assert "Traceback" not in done.stdout


def test_check_answers_with_one_json_document_and_0_or_1(sandbox: SandboxFactory, tmp_path: Path) -> None:
    running = sandbox(orders=60)
    env_file = tmp_path / "own.env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in running.env.items()), encoding="utf-8")
    done = run(tmp_path, "--env-file", str(env_file), "check", "--json")
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (0, True)
    running.fault("no_scope", scope="payments/orders.readonly")
    done = run(tmp_path, "--env-file", str(env_file), "check", "--json")
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (1, False)
    assert not any(value in done.stdout for name, value in running.env.items() if "TOKEN" in name or "SECRET" in name)


def test_a_clock_for_the_sandbox_that_is_no_instant_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "sandbox", "--port", "0", "--now", "tomorrow")
    assert (done.returncode, "ISO 8601" in done.stdout) == (2, True)


def test_a_sandbox_on_a_taken_port_says_so_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(tmp_path, "sandbox", "--port", str(taken.getsockname()[1]), "--orders", "0")
    assert (done.returncode, "--port" in done.stdout + done.stderr) == (2, True)
    assert "Traceback" not in done.stdout + done.stderr


def nobody_there() -> str:
    """A connections file whose systems are on a port where nobody listens."""
    return (
        "version: 1\n"
        "connections:\n"
        "  ghl: {system: ghl, base_url: 'http://127.0.0.1:9/ghl'}\n"
        "  halo:\n"
        "    system: halo\n"
        "    base_url: http://127.0.0.1:9/halo\n"
        "    credentials: {client_id: GHL_TOKEN_1, client_secret: GHL_TOKEN_1}\n"
        "locations:\n"
        "  - id: LOC1\n"
        "    timezone: UTC\n"
        "    ghl: {connection: ghl, token: GHL_TOKEN_1}\n"
        "    targets: [halo]\n"
    )
