"""The files that point the product at a sandbox: every system is in them, and the product reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghl_payments.connections import Connection
from ghl_payments.domain.sandbox_identity import sandbox_identity
from ghl_payments.sandbox.env_file import write_env
from ghl_payments.sandbox.limits import LimitsMode, scaled
from ghl_payments.sandbox.vendors import vendor_modules
from ghl_payments.settings import Settings, load_settings

BASE = "http://127.0.0.1:4711"
WHO = sandbox_identity(5)
TARGETS = {name: module for name, module in vendor_modules().items() if module.is_target}


def written(folder: Path, limits: LimitsMode = "scaled") -> tuple[Settings, dict[str, str]]:
    write_env(folder / "box.env", BASE, WHO, "2026-11-16T12:00:00Z", limits)
    lines = (folder / "box.env").read_text(encoding="utf-8").splitlines()
    values = dict(line.split("=", 1) for line in lines)
    return load_settings(values), values


def test_every_target_stands_under_every_location_and_may_be_written_to(tmp_path: Path) -> None:
    settings, _ = written(tmp_path)
    assert settings.connections.keys() == vendor_modules().keys()
    for location in settings.locations:
        assert location.targets == list(TARGETS)
    for name in TARGETS:
        connection = settings.connection(name)
        assert (connection.system, connection.base_url) == (name, f"{BASE}/{name}")
        assert (connection.live, connection.policy) == (True, "auto")


@pytest.mark.parametrize("name", vendor_modules())
def test_credentials_options_and_further_keys_are_those_of_the_system(tmp_path: Path, name: str) -> None:
    settings, values = written(tmp_path)
    connection, module = settings.connection(name), vendor_modules()[name]
    secrets = module.secrets(WHO)
    assert connection.credentials == {role: variable for role, (variable, _) in secrets.items()}
    for variable, value in secrets.values():
        assert settings.secret(variable).get_secret_value() == values[variable] == value
    for key, value in module.connection(WHO).items():
        assert connection.model_dump()[key] == value
    assert module.connection(WHO).keys() <= Connection.model_fields.keys()


@pytest.mark.parametrize("limits", ["scaled", "vendor"])
def test_a_target_is_asked_as_often_as_its_sandbox_allows(tmp_path: Path, limits: LimitsMode) -> None:
    settings, _ = written(tmp_path, limits)
    for name, module in TARGETS.items():
        rate, allowed = settings.connection(name).rate, scaled(module.rate, limits)
        if name != "ghl":
            assert rate is not None
            assert (rate.requests, rate.seconds) == (allowed.requests, allowed.seconds)


def test_no_secret_stands_in_the_connections_file(tmp_path: Path) -> None:
    _, values = written(tmp_path)
    text = Path(values["GHL_PAYMENTS_CONNECTIONS"]).read_text(encoding="utf-8")
    tokens = [location.token for location in WHO.locations]
    role_names = {"tenant", "user", "database"}
    secrets = [
        value
        for module in TARGETS.values()
        for role, (_, value) in module.secrets(WHO).items()
        if role not in role_names
    ]
    assert [secret for secret in (*tokens, *secrets) if secret in text] == []
