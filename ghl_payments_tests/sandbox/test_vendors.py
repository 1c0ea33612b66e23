"""The systems of the sandbox are found, not listed; switches stand from the start; defaults fit what is served."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from ghl_payments.cli import main
from ghl_payments.domain.diff_kinds import KIND_BY_NAME
from ghl_payments.domain.sandbox_identity import (
    DEFAULT_NOW,
    DEFAULT_WEBHOOK_KEY,
    sandbox_identity,
    sandbox_targets,
)
from ghl_payments.sandbox.codec import decode, encode
from ghl_payments.sandbox.limits import scaled
from ghl_payments.sandbox.server import build_stores
from ghl_payments.sandbox.stores import Stores
from ghl_payments.sandbox.switches import SwitchBoard, SwitchError, Switches, read_switch
from ghl_payments.sandbox.vendors import vendor_modules
from ghl_payments.sandbox.webhooks import public_pem
from ghl_payments.settings import load_settings
from ghl_payments_tests.conftest import SandboxFactory


class ToySwitches(msgspec.Struct, forbid_unknown_fields=True):
    """Switches of a system that is not there."""

    toy_size: int = 1


@pytest.fixture
def board() -> SwitchBoard:
    return SwitchBoard({"ghl": Switches, "halo": Switches, "toy": ToySwitches}, {"toy_size": 2})


def test_every_module_is_a_system_under_its_own_name() -> None:
    modules = vendor_modules()
    assert next(iter(modules)) == "ghl"
    assert {"ghl", "halo"} <= modules.keys()
    assert all(name == module.name for name, module in modules.items())


def test_switches_of_a_system_begin_with_its_name_and_belong_to_one_system() -> None:
    names = [
        name
        for module in {module.switches: module for module in vendor_modules().values()}.values()
        for name in module.switches.__struct_fields__
    ]
    assert len(names) == len(set(names))
    assert [name for name in names if name.partition("_")[0] not in vendor_modules()] == []


def test_the_settings_without_configuration_fit_what_the_sandbox_serves() -> None:
    who = sandbox_identity(11)
    served = {name: module for name, module in vendor_modules().items() if module.is_target and name != "ghl"}
    known = sandbox_targets(who)
    assert known.keys() == served.keys()
    for name, module in served.items():
        target, rate = known[name], scaled(module.rate, "scaled")
        assert target.secrets == module.secrets(who)
        assert (target.requests, target.seconds) == (rate.requests, rate.seconds)
        assert {"options": target.options} == {"options": {}, **module.connection(who)}


def test_a_switch_is_set_where_it_belongs_and_reset_goes_back_to_the_start(board: SwitchBoard) -> None:
    board.update({"toy_size": 3, "halo_bare_arrays": True})
    assert (board.parts["toy"].toy_size, board.parts["halo"].halo_bare_arrays) == (3, True)  # type: ignore[attr-defined]
    assert board.parts["ghl"] is board.parts["halo"]
    board.reset()
    assert (board.shown()["toy_size"], board.shown()["halo_bare_arrays"]) == (2, False)


@pytest.mark.parametrize("wrong", [{"toy_colour": 1}, {"toy_size": "big"}])
def test_a_wrong_switch_changes_nothing(board: SwitchBoard, wrong: dict[str, object]) -> None:
    before = board.shown()
    with pytest.raises(SwitchError, match="toy_"):
        board.update({"halo_bare_arrays": True} | wrong)
    assert board.shown() == before


@pytest.mark.parametrize(
    ("text", "switch"),
    [("a=1", ("a", 1)), ("a=true", ("a", True)), ("a=404", ("a", 404)), ("a=b=c", ("a", "b=c")), ("a=", ("a", ""))],
)
def test_a_switch_on_the_command_line_is_json_or_text(text: str, switch: tuple[str, object]) -> None:
    assert read_switch(text) == switch


def test_a_sandbox_keeps_the_switches_it_was_started_with_over_a_reset(sandbox: SandboxFactory) -> None:
    running = sandbox(switches=("ghl_not_found=400",))
    running.switches(ghl_not_found=404)
    running.reset()
    assert running.control("GET", "/switches")["ghl_not_found"] == 400


@pytest.mark.parametrize(("words", "said"), [
    ("toy_size", "NAME=VALUE"),
    ("toy_size=1", "ghl_not_found"),
    ("ghl_date_filter=exakt", "ghl_date_filter is one of exact, date_only_exclusive, wider, narrower"),
    ("ghl_not_found=500", "ghl_not_found is one of 404, 400"),
    ("halo_bare_arrays=maybe", "halo_bare_arrays is one of true, false"),
])  # fmt: skip
def test_a_wrong_switch_on_the_command_line_is_one_line_that_says_what_there_is(words: str, said: str) -> None:
    result = CliRunner().invoke(main, ["sandbox", "--port", "0", "--orders", "0", "--switch", words])
    assert result.exit_code == 2
    assert said in result.output
    assert len(result.output.splitlines()) == 1


def test_a_fault_of_a_system_that_is_not_there_is_refused(sandbox: SandboxFactory) -> None:
    running = sandbox()
    answer = running.http.post("/_sandbox/faults", json={"fault": "status", "system": "nowhere"})
    assert answer.status_code == 400
    assert all(name in answer.json()["error"] for name in vendor_modules())
    for name in vendor_modules():
        assert running.fault("status", system=name)["system"] == name


@cache
def _stores(seed: int) -> Stores:
    return build_stores(seed, 200, "scaled", DEFAULT_NOW)


def _key(seed: int, name: str) -> list[dict[str, Any]]:
    return [row for row in decode(_stores(seed).answer_key or b"[]") if row["system"] == name]


@pytest.mark.parametrize("name", vendor_modules())
def test_a_part_of_the_state_can_be_loaded_again(name: str) -> None:
    vendor = _stores(3).vendors[name]
    part = vendor.dump()
    vendor_again = build_stores(3, 0, "scaled", DEFAULT_NOW)
    vendor_again.load({name: decode(part)})
    assert vendor_again.vendors[name].dump() == part


@pytest.mark.parametrize("name", [name for name, module in vendor_modules().items() if module.judge])
def test_a_seeded_world_breaks_something_in_every_system_it_fills(name: str) -> None:
    kinds = {row["kind"] for row in _key(3, name)}
    assert kinds - {"not_representable", "pending"}
    assert kinds <= KIND_BY_NAME.keys()


@pytest.mark.parametrize("name", vendor_modules())
def test_the_same_seed_gives_the_same_part_and_another_seed_another(name: str) -> None:
    again = build_stores(3, 200, "scaled", DEFAULT_NOW)
    assert again.vendors[name].dump() == _stores(3).vendors[name].dump()
    assert encode([row for row in decode(again.answer_key or b"[]") if row["system"] == name]) == encode(_key(3, name))
    module = vendor_modules()[name]
    if module.judge is not None:
        assert _stores(4).vendors[name].dump() != _stores(3).vendors[name].dump()


def test_environment_variables_of_systems_are_their_own() -> None:
    variables = [
        variable for module in vendor_modules().values() for variable, _ in module.secrets(sandbox_identity()).values()
    ]
    assert len(variables) == len(set(variables))


def test_the_default_settings_know_the_key_that_the_default_sandbox_signs_its_events_with() -> None:
    assert public_pem(sandbox_identity()) == DEFAULT_WEBHOOK_KEY
    assert load_settings({}).webhooks.public_key == DEFAULT_WEBHOOK_KEY
