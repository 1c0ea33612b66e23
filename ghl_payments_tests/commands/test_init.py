"""`ghl-payments init`: a first file that can be read, later ones grown without losing a line, nothing overwritten unasked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ghl_payments.cli import main
from ghl_payments.commands.init_answers import known_systems, needed_options
from ghl_payments.commands.init_files import fresh, grown, merged, with_names
from ghl_payments.connections import ConnectionsFile, read_connections
from ghl_payments.connectors.registry import target_systems

HALO = "halo=https://shop.halopsa.com"
STANDING = """\
# Ours, do not touch.
version: 1

connections:
  ghl: {system: ghl, base_url: https://services.leadconnectorhq.com}   # the agency's

  halo:
    system: halo
    base_url: https://shop.halopsa.com
    policy: auto    # since March
    credentials: {client_id: OUR_ID, client_secret: OUR_SECRET}
    # tenant: not needed

locations:
  # the first shop
  - id: LOC1
    timezone: Europe/Berlin
    ghl: {connection: ghl, token: GHL_TOKEN_1}
    targets: [halo]   # all there is
# the end
"""


def said(folder: Path, *words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, ["init", "--folder", str(folder), *words], input=typed)


def read(folder: Path) -> ConnectionsFile:
    return read_connections(folder / "connections.yaml")


def standing(folder: Path, text: str = STANDING) -> Path:
    path = folder / "connections.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_first_file_can_be_read_and_starts_in_preview(tmp_path: Path) -> None:
    done = said(tmp_path, "--location", "LOC1=Europe/Berlin", "--system", HALO, "--system", "activetrail")
    assert done.exit_code == 0, done.output
    described = read(tmp_path)
    assert {name: item.effective_policy for name, item in described.connections.items() if name != "ghl"} == {
        "halo": "preview", "activetrail": "preview",
    }  # fmt: skip
    assert described.locations[0].targets == ["halo", "activetrail"]
    assert "Then: ghl-payments check" in done.output


def test_the_env_file_gets_names_without_values_for_its_owner_only(tmp_path: Path) -> None:
    said(tmp_path, "--location", "LOC1=UTC", "--location", "LOC2=UTC", "--system", HALO)
    env = tmp_path / ".env"
    assert env.read_text(encoding="utf-8") == (
        "HALO_TENANT=\nHALO_CLIENT_ID=\nHALO_CLIENT_SECRET=\nGHL_TOKEN_1=\nGHL_TOKEN_2=\n"
    )
    assert env.stat().st_mode & 0o077 == 0
    used = {location.ghl.token for location in read(tmp_path).locations}
    assert used == {"GHL_TOKEN_1", "GHL_TOKEN_2"}


def test_questions_give_the_same_as_flags(tmp_path: Path) -> None:
    asked, flagged = tmp_path / "asked", tmp_path / "flagged"
    typed = ["LOC1", "Europe/Berlin", "n"]
    for system in known_systems():
        typed += ["y", "https://shop.halopsa.com"] if system == "halo" else ["n"]
    assert said(asked, typed="\n".join(typed) + "\n").exit_code == 0
    assert said(flagged, "--location", "LOC1=Europe/Berlin", "--system", HALO).exit_code == 0
    for name in ("connections.yaml", ".env"):
        assert (asked / name).read_text(encoding="utf-8") == (flagged / name).read_text(encoding="utf-8")


def test_a_file_of_answers_gives_the_same_as_flags(tmp_path: Path) -> None:
    answered, flagged = tmp_path / "answered", tmp_path / "flagged"
    answers = tmp_path / "answers.yaml"
    answers.write_text(
        "locations: [{id: LOC1, timezone: UTC}]\nsystems:\n  halo: {base_url: https://shop.halopsa.com}\n"
        "  act: {base_url: https://apius.act.com/act.web.api, options: {source: Shop}}\n  ghl: {}\n",
        encoding="utf-8",
    )
    words = ("--system", HALO, "--system", "act=https://apius.act.com/act.web.api", "--option", "act.source=Shop")
    assert said(answered, "--answers", str(answers)).exit_code == 0
    assert said(flagged, "--location", "LOC1=UTC", *words, "--system", "ghl").exit_code == 0
    assert read(answered).model_dump() == read(flagged).model_dump()
    assert read(answered).connections["act"].options == {"source": "Shop"}
    assert read(answered).locations[0].targets == ["halo", "act", "ghl"]
    assert read(answered).connections["ghl"].policy == "preview"


@pytest.mark.parametrize(("text", "said_"), [
    ("locations: []\n", "answers.yaml:1: locations: "),
    ("locations: [{id: LOC1}]\n", "answers.yaml:1: locations.0.timezone: Field required"),
    ("locations: [{id: LOC1, timezone: UTC}]\nsytems: {}\n", "answers.yaml:2: sytems: unknown key, not permitted here; nearest: systems"),
    ("locations: [{id: LOC1, timezone: UTC}]\nsystems:\n  hallo: {}\n", "answers.yaml:3: systems.hallo: no such system"),
    ("locations: [{id: LOC1, timezone: UTC}]\nsystems:\n  hallo: {}\n", "nearest: halo"),
    ("locations: [", "answers.yaml:1: not readable as YAML"),
])  # fmt: skip
def test_wrong_answers_are_told_with_their_line_and_write_nothing(tmp_path: Path, text: str, said_: str) -> None:
    (tmp_path / "answers.yaml").write_text(text, encoding="utf-8")
    done = said(tmp_path, "--answers", str(tmp_path / "answers.yaml"))
    assert (done.exit_code, said_ in done.output) == (2, True), done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.yaml"]


@pytest.mark.parametrize(("words", "said_"), [
    (("--location", "LOC1=Mars/Base"), "not an IANA time zone"),
    (("--location", "LOC 1=UTC"), "locations.0.id"),
    (("--location", "LOC1=UTC", "--system", "halo=http://shop.example.com"), "plain http is accepted for loopback only"),
    (("--location", "LOC1=UTC", "--system", HALO, "--option", "halo.delivery_traking_field=X"), "delivery_tracking_field"),
    (("--location", "LOC1=UTC", "--option", "halo.a=b"), "must be SYSTEM.NAME=VALUE of a system that --system names"),
])  # fmt: skip
def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, words: tuple[str, ...], said_: str) -> None:
    done = said(tmp_path, *words)
    assert (done.exit_code, said_ in done.output) == (2, True), done.output
    assert list(tmp_path.iterdir()) == []
    assert ".tmp" not in done.output


def test_a_second_time_there_is_nothing_to_add(tmp_path: Path) -> None:
    words = ("--location", "LOC1=UTC", "--system", HALO)
    said(tmp_path, *words)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = said(tmp_path, *words)
    assert (done.exit_code, done.output) == (0, "Nothing to add.\n")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_that_exists_is_changed_only_when_somebody_allows_it(tmp_path: Path) -> None:
    path = standing(tmp_path)
    words = ("--location", "LOC2=UTC", "--system", "activetrail")
    done = said(tmp_path, *words)
    assert done.exit_code == 1
    assert "+  - id: LOC2" in done.output
    assert "Nothing was written. --force writes it." in done.output
    assert path.read_text(encoding="utf-8") == STANDING
    assert not (tmp_path / ".env").exists()
    assert said(tmp_path, *words, "--force").exit_code == 0
    assert [location.id for location in read(tmp_path).locations] == ["LOC1", "LOC2"]


@pytest.mark.parametrize(("answer", "code", "locations"), [("y", 0, 2), ("n", 1, 1)])
def test_questions_end_with_one_about_a_file_that_exists(
    tmp_path: Path, answer: str, code: int, locations: int
) -> None:
    standing(tmp_path)
    typed = "\n".join(["LOC2", "UTC", "n", *["n"] * len(known_systems()), answer]) + "\n"
    done = said(tmp_path, typed=typed)
    assert done.exit_code == code, done.output
    assert len(read(tmp_path).locations) == locations


def test_a_grown_file_keeps_every_line_and_comment(tmp_path: Path) -> None:
    standing(tmp_path)
    done = said(tmp_path, "--location", "LOC1=Europe/Berlin", "--location", "LOC2=UTC", "--system", "halo",
                "--system", "activetrail", "--force")  # fmt: skip
    assert done.exit_code == 0, done.output
    text = (tmp_path / "connections.yaml").read_text(encoding="utf-8")
    kept = STANDING.replace("targets: [halo] ", "targets: [halo, activetrail] ")
    left = iter(text.splitlines())
    assert all(line in left for line in kept.splitlines())
    described = read(tmp_path)
    assert described.connections["halo"].policy == "auto"
    assert described.locations[0].targets == ["halo", "activetrail"]
    assert described.locations[1].ghl.token == "GHL_TOKEN_2"


def test_what_stands_there_otherwise_stays_and_is_said(tmp_path: Path) -> None:
    standing(tmp_path)
    done = said(tmp_path, "--location", "LOC1=UTC", "--system", "halo=https://other.halopsa.com", "--force")
    assert done.exit_code == 0
    assert "location LOC1 stands already with Europe/Berlin, which is left as it is." in done.output
    assert "location LOC1 has a target of halo already (halo); halo-2 is not added." in done.output
    described = read(tmp_path)
    assert described.connections["halo"].base_url == "https://shop.halopsa.com"
    assert described.connections["halo-2"].credentials["client_id"] == "HALO_2_CLIENT_ID"
    assert (described.locations[0].timezone, described.locations[0].targets) == ("Europe/Berlin", ["halo"])


def test_a_file_that_cannot_be_added_to_gets_a_new_one_beside_it(tmp_path: Path) -> None:
    place = "{id: LOC1, timezone: UTC, ghl: {connection: ghl, token: GHL_TOKEN_1}}"
    ghl = "{system: ghl, base_url: 'https://g.example.com'}"
    flow = f"{{version: 1, connections: {{ghl: {ghl}}}, locations: [{place}]}}\n"
    path = standing(tmp_path, flow)
    done = said(tmp_path, "--location", "LOC2=UTC", "--system", HALO)
    assert done.exit_code == 2
    assert "the whole stands in connections.new.yaml, without its comments: compare the two" in done.output
    assert path.read_text(encoding="utf-8") == flow
    assert [location.id for location in read_connections(tmp_path / "connections.new.yaml").locations] == [
        "LOC1",
        "LOC2",
    ]


def test_a_file_that_cannot_be_read_is_told_with_its_line_and_left_alone(tmp_path: Path) -> None:
    path = standing(tmp_path, STANDING.replace("policy: auto", "polcy: auto"))
    done = said(tmp_path, "--location", "LOC2=UTC", "--force")
    assert (done.exit_code, "connections.yaml:10: " in done.output, "nearest: policy" in done.output) == (2, True, True)
    assert "polcy" in path.read_text(encoding="utf-8")


def test_values_in_an_env_file_are_neither_changed_nor_shown(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("# ours\nHALO_TENANT=secret-a\nexport GHL_TOKEN_1=secret-b\nOTHER=x", encoding="utf-8")
    done = said(tmp_path, "--location", "LOC1=UTC", "--system", HALO, "--force")
    assert done.exit_code == 0
    assert "secret-" not in done.output
    assert env.read_text(encoding="utf-8") == (
        "# ours\nHALO_TENANT=secret-a\nexport GHL_TOKEN_1=secret-b\nOTHER=x\nHALO_CLIENT_ID=\nHALO_CLIENT_SECRET=\n"
    )


@pytest.mark.parametrize("name", target_systems())
def test_every_target_gets_the_credentials_that_its_connector_asks_for(name: str) -> None:
    text = (target_systems()[name].documents_sql.parent / "connect.py").read_text(encoding="utf-8")
    roles = set(re.findall(r"access\.(?:optional_)?secret\(\"(\w+)\"\)", text))
    assert roles == set(known_systems()[name].credentials)


@pytest.mark.parametrize("name", target_systems())
def test_every_target_can_be_set_up_and_its_options_are_accepted(tmp_path: Path, name: str) -> None:
    about, options = known_systems()[name], needed_options(name)
    words = [word for option in options for word in ("--option", f"{name}.{option}=x")]
    address = f"{name}={about.example.replace('YOUR-TENANT', 'tenant')}"
    done = said(tmp_path, "--location", "LOC1=UTC", "--system", address, *words)
    assert done.exit_code == 0, done.output
    [connection] = [item for item in read(tmp_path).connections.values() if item.system == name]
    assert connection.policy == "preview"
    target_systems()[name].options_of(connection)


NAME = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
CONNECTION = st.fixed_dictionaries(
    {"system": NAME, "base_url": st.just("https://x.example.com")},
    optional={
        "options": st.dictionaries(NAME, st.one_of(st.text(max_size=12), st.booleans(), st.integers()), max_size=2)
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    connections=st.dictionaries(NAME, CONNECTION, min_size=1, max_size=3),
    added=st.dictionaries(NAME, CONNECTION, max_size=3),
    targets=st.lists(NAME, max_size=3, unique=True),
    more=st.lists(NAME, max_size=2, unique=True),
    style=st.sampled_from([None, True, False]),
)
def test_a_file_is_grown_to_exactly_what_it_should_say_or_not_at_all(
    connections: dict[str, Any], added: dict[str, Any], targets: list[str], more: list[str], style: bool | None
) -> None:
    location = {"id": "L", "timezone": "UTC", "ghl": {"connection": "g", "token": "T"}}
    document = {
        "version": 1,
        "connections": connections,
        "locations": [location | ({"targets": targets} if targets else {})],
    }
    text = (
        fresh(connections, document["locations"])
        if style is None
        else yaml.safe_dump(document, default_flow_style=style)
    )
    new = {name: item for name, item in added.items() if name not in connections}
    result = grown(text, new, [location | {"id": "M"}], {0: more} if more else {})
    if result is None:
        assert style is True or any(
            "\n" in str(value) for item in connections.values() for value in item.get("options", {}).values()
        )
    else:
        wanted = merged(yaml.safe_load(text), new, [location | {"id": "M"}], {0: more} if more else {})
        assert yaml.safe_load(result) == wanted


@given(st.lists(st.from_regex(r"[A-Z]{1,3}", fullmatch=True), max_size=4), st.text("ABC=#\n x", max_size=30))
def test_names_are_added_once_and_no_line_is_lost(names: list[str], env: str) -> None:
    after = with_names(env, names)
    assert after.startswith(env)
    assert with_names(after, names) == after
    assert all(re.search(rf"^\s*(export )?{name}\s*=", after, flags=re.MULTILINE) for name in names)
