"""Settings: where values come from, and errors that name file, line and remedy without showing a secret."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ghl_payments.connections import SettingsError, read_connections
from ghl_payments.domain.sandbox_identity import DEFAULT_NOW, sandbox_identity
from ghl_payments.domain.schedules import Cold, Hot, Warm
from ghl_payments.settings import load_settings

CONNECTIONS = """\
version: 1
connections:
  ghl: {system: ghl, base_url: https://ghl.example.com}
  halo:
    system: halo
    base_url: https://halo.example.com
    credentials: {tenant: HALO_TENANT, client_id: HALO_CLIENT_ID, client_secret: HALO_CLIENT_SECRET}
locations:
  - id: LOC1
    timezone: Europe/Berlin
    ghl: {connection: ghl, token: GHL_TOKEN_1}
    targets: [halo]
"""
SECRETS = {
    "GHL_TOKEN_1": "token-in-the-clear",
    "HALO_CLIENT_ID": "id-in-the-clear",
    "HALO_CLIENT_SECRET": "secret-in-the-clear",
}


@pytest.fixture
def described(tmp_path: Path) -> Path:
    path = tmp_path / "connections.yaml"
    path.write_text(CONNECTIONS, encoding="utf-8")
    return path


def environment(described: Path, **values: str) -> dict[str, str]:
    own = {"GHL_PAYMENTS_CONNECTIONS": str(described), "GHL_PAYMENTS_HOME": str(described.parent)}
    return own | SECRETS | values


def test_without_a_connections_file_the_settings_describe_the_bundled_sandbox(tmp_path: Path) -> None:
    settings = load_settings({"GHL_PAYMENTS_HOME": str(tmp_path)})
    who = sandbox_identity()
    assert [place.id for place in settings.locations] == [place.id for place in who.locations]
    assert settings.secret("HALO_CLIENT_SECRET").get_secret_value() == who.halo_client_secret
    assert settings.connection("halo").effective_policy == "auto"
    assert settings.now() == DEFAULT_NOW
    assert settings.warehouse.is_relative_to(tmp_path / "sandbox")


def test_empty_variables_do_not_hide_the_bundled_sandboxs_credentials(tmp_path: Path) -> None:
    settings = load_settings({"GHL_PAYMENTS_HOME": str(tmp_path), "HALO_CLIENT_SECRET": "", "GHL_TOKEN_1": ""})
    who = sandbox_identity()
    assert settings.secret("HALO_CLIENT_SECRET").get_secret_value() == who.halo_client_secret
    assert settings.secret("GHL_TOKEN_1").get_secret_value() == who.locations[0].token


def test_places_stand_below_the_home_unless_they_are_named(described: Path, tmp_path: Path) -> None:
    settings = load_settings(environment(described, GHL_PAYMENTS_REPORTS=str(tmp_path / "elsewhere" / "r.duckdb")))
    assert settings.warehouse == tmp_path / "ghl_payments.duckdb"
    assert settings.landing == tmp_path / "landing"
    assert settings.reports == tmp_path / "elsewhere" / "r.duckdb"


def test_a_real_system_starts_in_preview_and_loopback_in_auto(described: Path) -> None:
    assert load_settings(environment(described)).connection("halo").effective_policy == "preview"
    described.write_text(CONNECTIONS.replace("https://halo.example.com", "http://127.0.0.1:8790/halo"))
    assert load_settings(environment(described)).connection("halo").effective_policy == "auto"


def test_a_target_that_is_off_is_no_target(described: Path) -> None:
    for off in ("off", '"off"'):
        described.write_text(CONNECTIONS.replace("    system: halo\n", f"    system: halo\n    policy: {off}\n"))
        settings = load_settings(environment(described))
        assert settings.targets(settings.location("LOC1")) == []


def test_no_secret_is_shown_by_any_representation(described: Path) -> None:
    settings = load_settings(environment(described))
    shown = f"{settings!r} {settings} {settings.secrets} {settings.model_dump()} {settings.model_dump_json()}"
    assert "in-the-clear" not in shown
    assert settings.secret("GHL_TOKEN_1").get_secret_value() == "token-in-the-clear"


def test_only_the_secrets_that_connections_name_are_taken(described: Path) -> None:
    assert "OTHER" not in load_settings(environment(described, OTHER="x")).secrets


def test_a_secret_that_is_not_set_names_its_variable_when_it_is_needed(described: Path) -> None:
    settings = load_settings(environment(described, GHL_TOKEN_1=""))
    with pytest.raises(SettingsError, match="GHL_TOKEN_1 is not set"):
        settings.secret("GHL_TOKEN_1")


def test_an_unknown_location_lists_the_known_ones(described: Path) -> None:
    with pytest.raises(SettingsError, match=r"no location 'LOC2'.*known: LOC1"):
        load_settings(environment(described)).location("LOC2")


def test_as_of_is_taken_as_utc_when_it_has_no_zone(described: Path) -> None:
    settings = load_settings(environment(described, GHL_PAYMENTS_AS_OF="2026-11-16T12:00:00"))
    assert settings.now() == datetime(2026, 11, 16, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GHL_PAYMENTS_AS_OF", "yesterday"),
        ("GHL_PAYMENTS_SETTLE_SECONDS", "soon"),
        ("GHL_PAYMENTS_LAG_SECONDS", "-1"),
        ("GHL_PAYMENTS_LOCK_TIMEOUT_SECONDS", "inf"),
    ],
)
def test_a_value_that_cannot_be_read_names_its_variable(described: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings(environment(described, **{name: value}))


def test_a_connections_file_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml, which does not exist"):
        load_settings({"GHL_PAYMENTS_CONNECTIONS": str(tmp_path / "nowhere.yaml")})


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("version: 1", "version: 2", 1, "version"),
        ("    system: halo", "    system: [halo", 6, "not readable as YAML"),
        ("locations:", "locations: x\nplaces:", 8, "locations"),
        ("    system: halo", "    system: halo\n    polcy: auto", 6, "polcy"),
        ("    system: halo", "    system: halo\n    policy: sometimes", 6, "policy"),
        ("https://halo", "http://halo", 6, "plain http is accepted for loopback only"),
        ("https://halo.example.com", "halo.example.com", 6, "must be an http(s) URL"),
        ("    credentials:", "    rate: {requests: 0, seconds: 300}\n    credentials:", 7, "greater than 0"),
        ("Europe/Berlin", "Mars/Base", 10, "not an IANA time zone"),
        ("    timezone: Europe/Berlin\n", "", 9, "timezone: Field required"),
        ("id: LOC1", "id: LOC 1", 9, "id"),
        ("targets: [halo]", "targets: [hallo]", 12, "LOC1 names the connection 'hallo'"),
        ("{connection: ghl, token", "{connection: gh, token", 11, "LOC1 names the connection 'gh'"),
        ("    system: halo", "    system: halo\n    polcy: auto", 6, "not permitted here; nearest: policy"),
        ("    system: halo", "    system: halo\n    policy: atuo", 6, "; nearest: auto"),
        ("    system: halo", "    system: halo\n    optoins: {}", 6, "; nearest: options"),
        ("    system: halo", "    system: halo\n    mapping: own/halo.yaml", 6, "halo.yaml does not exist"),
        ("    system: halo", "    system: halo\n    brakes: {shrink_shar: 1}", 6, "; nearest: shrink_share"),
        ("    system: halo", "    system: halo\n    system: act", 6, "stands twice"),
        ("token: GHL_TOKEN_1", "token: pit-0a1b2c", 11, "never the secret itself"),
        ("client_id: HALO_CLIENT_ID", "client_id: 0a1b2c", 7, "credentials.client_id: must be the name of"),
        ("    timezone", "    provider: []\n    timezone", 10, "; nearest: providers"),
        ("targets: [halo]", "targets: [hallo]", 12, "; nearest: halo"),
        (
            "locations:",
            "schedules: {hot: {every_minutes: 0}}\nlocations:",
            8,
            "schedules.hot.every_minutes: Input should be",
        ),
        ("locations:", "schedules: {hot: {every_minutes: 16}}\nlocations:", 8, "less than or equal to 15"),
        ("locations:", "schedules:\n  hott: off\nlocations:", 9, "; nearest: hot"),
        ("locations:", "schedules:\n  hot:\nlocations:", 9, "is empty; write `off`"),
        ("locations:", "schedules: {cold: {weekday: sundy}}\nlocations:", 8, "; nearest: sunday"),
        ("locations:", "schedules: {warm: {hour: 24}}\nlocations:", 8, "less than or equal to 23"),
        ("targets: [halo]", "schedules:\n      warm: {hours: 3}", 13, "; nearest: hour"),
    ],
)
def test_a_malformed_connections_file_is_told_with_file_line_and_what_is_wrong(
    described: Path, old: str, new: str, line: int, said: str
) -> None:
    assert old in CONNECTIONS
    described.write_text(CONNECTIONS.replace(old, new), encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_connections(described)
    assert f"{described}:{line}: " in str(caught.value)
    assert said in str(caught.value)


def test_a_secret_in_place_of_its_variables_name_is_not_repeated(described: Path) -> None:
    described.write_text(
        CONNECTIONS.replace("token: GHL_TOKEN_1", "token: pit-0a1b2c").replace("HALO_TENANT", "t0a1b2c")
    )
    with pytest.raises(SettingsError) as caught:
        read_connections(described)
    assert len(str(caught.value).splitlines()) == 2
    assert "0a1b2c" not in str(caught.value)


def test_every_mistake_is_told_at_once(described: Path) -> None:
    described.write_text(CONNECTIONS.replace("Europe/Berlin", "Mars/Base").replace("https://halo", "http://halo"))
    with pytest.raises(SettingsError) as caught:
        read_connections(described)
    assert len(str(caught.value).splitlines()) == 2


def test_a_location_that_is_listed_twice_is_refused(described: Path) -> None:
    again = CONNECTIONS[CONNECTIONS.index("  - id") :]
    described.write_text(CONNECTIONS + again, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"yaml:13: .*LOC1 is listed twice"):
        read_connections(described)


def test_a_mapping_of_ones_own_stands_beside_the_connections_file(described: Path) -> None:
    (described.parent / "own.yaml").touch()
    described.write_text(CONNECTIONS.replace("    system: halo", "    system: halo\n    mapping: own.yaml"))
    assert load_settings(environment(described)).connection("halo").mapping == described.parent / "own.yaml"


def test_a_connection_knows_the_line_of_each_of_its_parts(described: Path) -> None:
    described.write_text(CONNECTIONS.replace("    system: halo", "    system: halo\n    options:\n      a: 1"))
    halo = load_settings(environment(described)).connection("halo")
    assert halo.place("options", "a") == f"{described}:7"
    assert halo.place("capabilities", "a") == f"{described}:4"


def test_a_location_has_the_files_schedules_but_for_what_it_says_itself(described: Path) -> None:
    file = "schedules: {hot: {every_minutes: 5}, cold: off}\nlocations:"
    own = "targets: [halo]\n    schedules: {warm: {hour: 4}, cold: {weekday: friday}}"
    described.write_text(CONNECTIONS.replace("locations:", file).replace("targets: [halo]", own), encoding="utf-8")
    (place,) = load_settings(environment(described)).places()
    assert (place.location_id, place.timezone) == ("LOC1", "Europe/Berlin")
    assert place.schedules.hot == Hot(every_minutes=5)
    assert place.schedules.warm == Warm(hour=4)
    assert place.schedules.cold == Cold(weekday="friday")


@pytest.mark.parametrize("content", [b"", b"- a\n", b"just text", b"\xff\xfe\x00"])
def test_what_is_no_mapping_at_all_is_a_clear_error_too(described: Path, content: bytes) -> None:
    described.write_bytes(content)
    with pytest.raises(SettingsError, match=r"connections\.yaml"):
        read_connections(described)


def test_a_folder_in_place_of_the_file_is_a_clear_error_too(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_connections(tmp_path)


APP = "ghl: {connection: ghl, oauth: {client_id: GHL_CLIENT_ID, client_secret: GHL_CLIENT_SECRET}}"


def test_a_location_may_sign_in_with_a_marketplace_app_instead_of_a_token(described: Path) -> None:
    described.write_text(CONNECTIONS.replace("ghl: {connection: ghl, token: GHL_TOKEN_1}", APP))
    app = {"GHL_CLIENT_ID": "app-in-the-clear", "GHL_CLIENT_SECRET": "app-secret-in-the-clear"}
    settings = load_settings(environment(described, **app))
    oauth = settings.locations[0].ghl.oauth
    assert oauth is not None
    assert (oauth.user_type, settings.secret(oauth.client_id).get_secret_value()) == ("Location", "app-in-the-clear")
    assert "in-the-clear" not in repr(settings)


@pytest.mark.parametrize("access", ["{connection: ghl}", f"{{token: GHL_TOKEN_1, {APP.partition('{')[2]}"])
def test_neither_or_both_ways_to_sign_in_are_refused_with_the_line(described: Path, access: str) -> None:
    described.write_text(CONNECTIONS.replace("{connection: ghl, token: GHL_TOKEN_1}", access))
    with pytest.raises(SettingsError, match=r"connections\.yaml:11: locations\.0\.ghl: needs exactly one of `token`"):
        read_connections(described)


def test_a_redirect_in_the_clear_to_another_machine_is_refused(described: Path) -> None:
    wrong = APP.replace("}}", ", redirect_uri: 'http://shop.example.com/'}}")
    described.write_text(CONNECTIONS.replace("ghl: {connection: ghl, token: GHL_TOKEN_1}", wrong))
    with pytest.raises(SettingsError, match=r"connections\.yaml:11: locations\.0\.ghl\.oauth\.redirect_uri"):
        read_connections(described)
