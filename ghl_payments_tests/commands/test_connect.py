"""`ghl-payments connect` as a person and as a script use it: consent, the way back, and every way in which it fails."""

from __future__ import annotations

import json
import queue
import re
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from ghl_payments.commands.consent import Report, run_connect, wanted_scopes
from ghl_payments.connections import SettingsError, read_connections
from ghl_payments.connectors.ghl.oauth_api import AGENCY_SCOPE
from ghl_payments.transport.errors import OutcomeUnknown
from ghl_payments_tests.commands.support import run, start
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.oauth_support import SCOPES, Shop, shop
from ghl_payments_tests.running_sandbox import ROOT, RunningSandbox

REDIRECT = "https://shop.example.com/callback"


@pytest.fixture
def box(sandbox: SandboxFactory) -> RunningSandbox:
    return sandbox()


def registered(box: RunningSandbox, folder: Path, **how: str) -> Shop:
    """An installation whose app has registered a redirect URL."""
    installed = shop(box, folder, **how)
    path = folder / "connections.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("user_type", f"redirect_uri: '{REDIRECT}', user_type"), encoding="utf-8")
    return installed


def env_file(installed: Shop, folder: Path) -> str:
    path = folder / "app.env"
    path.write_text("".join(f"{name}={value}\n" for name, value in installed.env.items()), encoding="utf-8")
    return str(path)


def consented(box: RunningSandbox, url: str, choice: str) -> str:
    """Where the browser of a person ends who opens the page and chooses."""
    answer = box.http.get(url, params=dict(httpx.URL(url).params) | {"choice": choice})
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


def connect(installed: Shop, answer: str | None, place: str = "", **how: Any) -> Report:
    """The command's work without its options."""
    how = {"listen": None, "wait": 5.0, "tell": lambda _: None, "prompt": None} | how
    return run_connect(installed.settings, place or installed.location_id, answer=answer, **how)


def asked(installed: Shop) -> str:
    url = connect(installed, None).authorize_url
    assert url is not None
    return url


def test_the_url_asks_for_the_scopes_that_are_needed_and_carries_state_but_no_secret(
    box: RunningSandbox, tmp_path: Path
) -> None:
    installed = registered(box, tmp_path)
    query = httpx.URL(asked(installed)).params
    assert query["response_type"] == "code"
    assert query["redirect_uri"] == REDIRECT
    assert set(query["scope"].split()) == set(SCOPES.split())
    assert len(query["state"]) >= 32
    assert installed.env["GHL_CLIENT_SECRET"] not in asked(installed)
    assert query["state"] not in installed.path.read_text()


def test_where_ghl_is_a_target_too_writing_is_asked_for_and_an_agency_asks_to_exchange(
    box: RunningSandbox, tmp_path: Path
) -> None:
    installed = registered(box, tmp_path, user_type="Company")
    path = tmp_path / "connections.yaml"
    path.write_text(path.read_text().replace("timezone: UTC,", "timezone: UTC, targets: [ghl],"))
    scopes = set(httpx.URL(asked(installed)).params["scope"].split())
    assert {"payments/orders.write", "payments/integration.write", "oauth.write"} <= scopes


def test_a_page_of_ones_own_keeps_its_query(box: RunningSandbox, tmp_path: Path) -> None:
    installed = registered(box, tmp_path)
    path = tmp_path / "connections.yaml"
    page = "https://marketplace.leadconnectorhq.com/v2/oauth/chooselocation?version_id=abc"
    path.write_text(path.read_text().replace("user_type", f"authorize_url: '{page}', user_type"))
    url = httpx.URL(asked(installed))
    assert (url.host, url.params["version_id"]) == ("marketplace.leadconnectorhq.com", "abc")


def test_a_script_gets_the_url_first_and_connects_with_the_address_that_came_back(
    box: RunningSandbox, tmp_path: Path
) -> None:
    installed = registered(box, tmp_path)
    words = ("--env-file", env_file(installed, tmp_path), "connect", "--location", installed.location_id, "--json")
    first = run(tmp_path, *words)
    assert first.returncode == 1
    document = json.loads(first.stdout)
    assert (document["connected"], "--code" in document["reason"]) == (False, True)
    back = consented(box, document["authorize_url"], installed.location_id)
    second = run(tmp_path, *words, "--code", back)
    told = json.loads(second.stdout)
    assert (second.returncode, told["connected"], told["missing_scopes"]) == (0, True, [])
    token = installed.token
    for secret in (token.access_token, token.refresh_token, installed.env["GHL_CLIENT_SECRET"]):
        assert str(secret) not in first.stdout + second.stdout
    checked = run(tmp_path, "--env-file", env_file(installed, tmp_path), "check", "--json")
    states = {row["what"]: row["state"] for row in json.loads(checked.stdout)["checks"]}
    assert states[f"ghl {installed.location_id} orders (payments/orders.readonly)"] == "ok"
    assert states[f"ghl {installed.sandbox.location_id(1)} access"] == "failed"


def test_a_person_pastes_the_address_into_the_prompt(box: RunningSandbox, tmp_path: Path) -> None:
    installed = registered(box, tmp_path)
    urls: list[str] = []
    report = connect(
        installed, None, tell=urls.append, prompt=lambda: consented(box, urls[0], installed.location_id) + "\n"
    )
    assert report.connected
    assert installed.rows() == 0


def test_a_code_alone_is_taken_from_standard_input(box: RunningSandbox, tmp_path: Path) -> None:
    installed = registered(box, tmp_path)
    words = ("--env-file", env_file(installed, tmp_path), "connect", "--location", installed.location_id)
    process = start(tmp_path, *words, "--code", "-", stdin=subprocess.PIPE)
    out, _ = process.communicate(box.oauth_code(installed.location_id, SCOPES) + "\n", timeout=60)
    assert (process.returncode, f"connected {installed.location_id} (Location)" in out) == (0, True)


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_the_listener_takes_the_browsers_answer_and_nobody_elses(
    box: RunningSandbox, tmp_path: Path, free_port: int
) -> None:
    installed = shop(box, tmp_path)
    urls: queue.Queue[str] = queue.Queue()
    pages: list[tuple[int, str]] = []

    def browse() -> None:
        back = consented(box, urls.get(timeout=30), installed.location_id)
        with httpx.Client(trust_env=False) as browser:
            here = f"http://127.0.0.1:{free_port}"
            for strange in ("/favicon.ico", "/?code=stolen", "/?code=stolen&state=guessed", "/?state="):
                pages.append((browser.get(here + strange).status_code, strange))
            pages.append((browser.post(back).status_code, "POST"))
            pages.append((browser.get(back).status_code, "back"))

    thread = threading.Thread(target=browse)
    thread.start()
    report = connect(installed, None, listen=free_port, wait=30.0, tell=urls.put)
    thread.join()
    assert report.connected, report.reason
    assert [status for status, _ in pages] == [400] * 5 + [200]
    assert installed.rows() == 0


def test_the_listener_gives_up_in_time_and_frees_its_port(box: RunningSandbox, tmp_path: Path, free_port: int) -> None:
    installed = shop(box, tmp_path)
    report = connect(installed, None, listen=free_port, wait=0.2)
    assert (report.connected, "No browser came back" in str(report.reason)) == (False, True)
    with socket.create_server(("127.0.0.1", free_port)), pytest.raises(SettingsError, match="cannot listen"):
        connect(installed, None, listen=free_port, wait=0.2)


def test_a_consent_for_another_location_or_by_the_agency_stores_nothing(box: RunningSandbox, tmp_path: Path) -> None:
    installed = registered(box, tmp_path)
    other = connect(installed, consented(box, asked(installed), box.location_id(1)))
    agency = connect(installed, consented(box, asked(installed), "agency"))
    assert f"for location {box.location_id(1)}, not for {installed.location_id}" in str(other.reason)
    assert "installed as Company, connections.yaml says user_type Location" in str(agency.reason)
    assert installed.store.get(installed.key) is None


def test_an_address_that_answers_another_question_is_not_taken(box: RunningSandbox, tmp_path: Path) -> None:
    installed = registered(box, tmp_path)
    old = consented(box, asked(installed), installed.location_id)
    asked(installed)
    assert "answers another question" in str(connect(installed, old).reason)
    forged = f"{REDIRECT}?code=abc&state=guessed"
    assert "answers another question" in str(connect(installed, forged).reason)
    assert not [row for row in box.requests() if row["path"] == "/oauth/token"]


def test_a_refusal_an_empty_answer_and_an_address_without_code_say_what_to_do(
    box: RunningSandbox, tmp_path: Path
) -> None:
    installed = registered(box, tmp_path)
    command = f"Run: ghl-payments connect --location {installed.location_id}"
    refused = connect(installed, consented(box, asked(installed), "deny"))
    assert refused.reason == f"The consent was refused on GHL's page. {command}"
    assert connect(installed, " \n").reason == f"No code was given. {command}"
    assert connect(installed, REDIRECT).reason == f"There is no code in this address. {command}"


def test_a_used_code_and_a_wrong_secret_are_the_same_refusal_and_keep_working_tokens(
    box: RunningSandbox, tmp_path: Path
) -> None:
    installed = registered(box, tmp_path)
    code = box.oauth_code(installed.location_id, SCOPES)
    assert connect(installed, code).connected
    kept = installed.token
    again = connect(installed, code)
    wrong = Shop(box, installed.env | {"GHL_CLIENT_SECRET": "wrong-secret"})
    refused = connect(wrong, box.oauth_code(installed.location_id, SCOPES))
    assert again.reason == refused.reason
    assert "GHL refused the code" in str(again.reason)
    assert "wrong-secret" not in str(refused.reason)
    assert installed.token == kept


def test_a_lost_answer_to_a_code_says_that_it_may_be_used_up(box: RunningSandbox, tmp_path: Path) -> None:
    installed = registered(box, tmp_path)
    box.fault("lost_reply", system="ghl", path="/oauth/token", times=1)
    with pytest.raises(OutcomeUnknown, match=r"may be used up\. For a new one run: ghl-payments connect"):
        connect(installed, box.oauth_code(installed.location_id, SCOPES))
    assert connect(installed, box.oauth_code(installed.location_id, SCOPES)).connected


def test_missing_scopes_are_named_but_the_tokens_are_kept(box: RunningSandbox, tmp_path: Path) -> None:
    installed = registered(box, tmp_path)
    report = connect(installed, box.oauth_code(installed.location_id, "payments/orders.readonly"))
    assert report.connected
    assert "payments/transactions.readonly" in report.missing_scopes
    assert installed.rows() == 0


def test_an_agency_connects_once_for_its_locations(box: RunningSandbox, tmp_path: Path) -> None:
    installed = registered(box, tmp_path, user_type="Company")
    report = connect(installed, consented(box, asked(installed), "agency"))
    assert (report.connected, report.user_type, report.missing_scopes) == (True, "Company", ())
    assert [installed.rows(n) for n in (0, 1)] == [0, 0]


def test_locations_that_share_an_agency_are_not_moved_to_another_one(box: RunningSandbox, tmp_path: Path) -> None:
    installed = registered(box, tmp_path, user_type="Company")
    assert connect(installed, consented(box, asked(installed), "agency")).connected
    elsewhere = msgspec.structs.replace(installed.token, account={"companyId": "another"})
    installed.store.put(installed.key, elsewhere)
    report = connect(installed, consented(box, asked(installed), "agency"))
    assert "is that of another agency" in str(report.reason)
    assert installed.token == elsewhere


def test_what_the_settings_lack_is_told_with_exit_code_2(box: RunningSandbox, tmp_path: Path) -> None:
    installed = shop(box, tmp_path)
    with pytest.raises(SettingsError, match="has no `redirect_uri` under"):
        connect(installed, None)
    words = ("--env-file", env_file(installed, tmp_path), "connect", "--location")
    done = run(tmp_path, *words, "nowhere")
    assert (done.returncode, "no location 'nowhere'" in done.stdout) == (2, True)
    (tmp_path / "elsewhere").mkdir()
    private = run(tmp_path / "elsewhere", "connect", "--location", box.location_id())
    assert (private.returncode, "has a private integration token" in private.stdout) == (2, True)


def test_a_token_file_that_cannot_be_used_is_told_as_a_setting(box: RunningSandbox, tmp_path: Path) -> None:
    installed = registered(box, tmp_path)
    asked(installed)
    installed.path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        connect(installed, box.oauth_code(installed.location_id, SCOPES))


def test_the_page_about_it_shows_settings_that_are_valid_and_all_scopes(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "oauth.md").read_text(encoding="utf-8")
    example = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)[0]
    (tmp_path / "connections.yaml").write_text(example, encoding="utf-8")
    location = read_connections(tmp_path / "connections.yaml").locations[0]
    assert location.ghl.oauth is not None
    both = location.model_copy(update={"targets": ["ghl"]})
    assert [scope for scope in (*wanted_scopes(both), AGENCY_SCOPE) if f"`{scope}`" not in page] == []
    assert len(page.splitlines()) <= 200
