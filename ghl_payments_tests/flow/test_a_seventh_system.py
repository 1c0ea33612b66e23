"""A further system is one folder in `connectors/` and one module in the sandbox, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ghl_payments_tests.running_sandbox import ROOT, loopback_client

HERE = Path(__file__).parent / "toy"
RUN = "from ghl_payments.cli import main; main()"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the product to which the toy system was added."""
    without_caches = shutil.ignore_patterns("__pycache__")
    for name in ("ghl_payments", "sql"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=without_caches)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(HERE / "connector", tmp_path / "ghl_payments" / "connectors" / "toy", ignore=without_caches)
    shutil.copy(HERE / "vendor.py", tmp_path / "ghl_payments" / "sandbox" / "vendors" / "toy.py")
    return tmp_path


@pytest.fixture
def environment(tree: Path) -> Iterator[dict[str, str]]:
    """The settings that a sandbox of this tree wrote, for a location with the toy system as its only target."""
    own = {name: text for name, text in os.environ.items() if not name.startswith(("GHL_", "DAGSTER_"))}
    own["PYTHONPATH"] = str(tree)
    command = [sys.executable, "-m", "ghl_payments.sandbox.server", "--port", "0", "--orders", "30"]
    with subprocess.Popen(
        [*command, "--write-env", str(tree / "toy.env")], stdout=subprocess.PIPE, text=True, env=own, cwd=tree
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        lines = (tree / "toy.env").read_text(encoding="utf-8").splitlines()
        settings = dict(line.split("=", 1) for line in lines)
        path = Path(settings["GHL_PAYMENTS_CONNECTIONS"])
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert "toy" in document["locations"][0]["targets"]
        document["locations"] = [document["locations"][0] | {"targets": ["toy"]}]
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        yield own | settings
        process.terminate()


def run(tree: Path, environment: dict[str, str], *words: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words, "--json"], env=environment, cwd=tree, capture_output=True, text=True,
        timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_a_toy_system_is_read_compared_written_and_verified(tree: Path, environment: dict[str, str]) -> None:
    first = run(tree, environment, "run")
    assert first["failures"] == {}
    deals = [row for row in run(tree, environment, "diffs") if row["system"] == "toy"]
    created = [row for row in deals if row["kind"] == "missing_in_target"]
    assert len(created) > 5
    assert {row["state"] for row in created} == {"closed"}
    with loopback_client(environment["GHL_PAYMENTS_SANDBOX_URL"]) as http:
        held = http.get("/_sandbox/state").json()["toy"]["deals"]
        assert {deal["reference"] for deal in held} == {row["key"] for row in created}
        effects = http.get("/_sandbox/effects").json()
        assert run(tree, environment, "run")["changes"].keys() <= {"verified"}
        assert http.get("/_sandbox/effects").json() == effects
