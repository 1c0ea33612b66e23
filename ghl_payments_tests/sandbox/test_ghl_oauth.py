"""OAuth of the sandboxed GHL: consent, codes, rotation of refresh tokens, tokens of agencies and locations."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.running_sandbox import RunningSandbox
from ghl_payments_tests.sandbox.states import ghl_state, order

REDIRECT = "https://shop.example.com/callback"
REFUSED = (401, {"error": "UnAuthorized!", "error_description": "Authorization code not found"})


@pytest.fixture
def box(sandbox: SandboxFactory) -> RunningSandbox:
    """A location with one order."""
    running = sandbox()
    running.put_state(ghl_state(orders=[order(1, "2026-10-01T00:00:00.000Z")]))
    return running


def consent(box: RunningSandbox, choice: str, **changes: str) -> dict[str, str]:
    """The query that a person comes back with after choosing on the consent page."""
    asked = {
        "response_type": "code",
        "client_id": box.ready["systems"]["ghl"]["oauth"]["client_id"],
        "redirect_uri": REDIRECT,
        "scope": "payments/orders.readonly payments/transactions.readonly oauth.write",
        "state": "s 1",
        "choice": choice,
    }
    answer = box.http.get("/ghl/v2/oauth/chooselocation", params=asked | changes)
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(f"{REDIRECT}?")
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def token(box: RunningSandbox, **fields: str) -> httpx.Response:
    return box.http.post("/ghl/oauth/token", data=box.ready["systems"]["ghl"]["oauth"] | fields)


def granted(box: RunningSandbox, choice: str, **changes: str) -> dict[str, Any]:
    answer = token(box, grant_type="authorization_code", code=consent(box, choice, **changes)["code"])
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def refreshed(box: RunningSandbox, pair: dict[str, Any]) -> httpx.Response:
    return token(box, grant_type="refresh_token", refresh_token=pair["refresh_token"])


def exchanged(box: RunningSandbox, access_token: str, location_id: str, company: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {access_token}", "Version": "2021-07-28"}
    return box.http.post(
        "/ghl/oauth/locationToken", data={"companyId": company, "locationId": location_id}, headers=headers
    )


def orders(box: RunningSandbox, access_token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {access_token}", "Version": "2021-07-28"}
    return box.http.get("/ghl/payments/orders", params={"altId": box.location_id()}, headers=headers)


def said(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


def test_a_code_works_once_and_its_token_reads(box: RunningSandbox) -> None:
    back = consent(box, box.location_id())
    assert back["state"] == "s 1"
    first = token(box, grant_type="authorization_code", code=back["code"], redirect_uri=REDIRECT)
    assert first.json()["locationId"] == box.location_id()
    assert first.json()["expires_in"] == 86399
    assert orders(box, first.json()["access_token"]).json()["totalCount"] == 1
    assert said(token(box, grant_type="authorization_code", code=back["code"])) == REFUSED


def test_a_fresh_sandbox_has_a_code_for_each_location_in_its_ready_line(box: RunningSandbox) -> None:
    code = box.ready["systems"]["ghl"]["locations"][0]["oauth_code"]
    app = box.ready["systems"]["ghl"]["oauth"]
    camel = {"clientId": app["client_id"], "clientSecret": app["client_secret"], "grantType": "authorization_code"}
    assert box.http.post("/ghl/oauth/token", json=camel | {"code": code}).json()["accessToken"]
    assert box.http.post("/ghl/oauth/token", json=camel | {"code": code}).status_code == 401


def test_a_code_is_bound_to_its_redirect_and_a_wrong_secret_looks_like_a_wrong_code(box: RunningSandbox) -> None:
    code = consent(box, box.location_id())["code"]
    assert said(token(box, grant_type="authorization_code", code=code, client_secret="wrong")) == REFUSED
    elsewhere = token(box, grant_type="authorization_code", code=code, redirect_uri="https://other.example.com/")
    assert said(elsewhere) == REFUSED


def test_a_refresh_token_dies_with_its_use(box: RunningSandbox) -> None:
    pair = granted(box, box.location_id())
    renewed = refreshed(box, pair).json()
    assert renewed["refresh_token"] != pair["refresh_token"]
    assert said(refreshed(box, pair)) == REFUSED
    assert orders(box, renewed["access_token"]).status_code == 200
    assert refreshed(box, renewed).status_code == 200


def test_with_the_grace_switch_a_used_refresh_token_gives_the_same_pair_again(box: RunningSandbox) -> None:
    pair = granted(box, box.location_id())
    box.switches(ghl_refresh_grace_seconds=60)
    renewed = refreshed(box, pair).json()
    assert refreshed(box, pair).json() == renewed
    box.switches(ghl_refresh_grace_seconds=0)
    assert said(refreshed(box, pair)) == REFUSED


def test_expired_access_tokens_are_refused_and_refresh_tokens_outlive_them(box: RunningSandbox) -> None:
    pair = granted(box, box.location_id())
    box.fault("expire_tokens", system="ghl")
    assert said(orders(box, pair["access_token"])) == (401, {"statusCode": 401, "message": "Invalid JWT"})
    assert orders(box, refreshed(box, pair).json()["access_token"]).status_code == 200


def test_scopes_that_were_not_asked_for_are_not_granted(box: RunningSandbox) -> None:
    pair = granted(box, box.location_id(), scope="payments/transactions.readonly")
    assert pair["scope"] == "payments/transactions.readonly"
    assert orders(box, pair["access_token"]).json()["message"] == "The token is not authorized for this scope."


def test_an_agencys_token_opens_no_location_but_is_exchanged_for_ones_that_do(box: RunningSandbox) -> None:
    agency = granted(box, "agency")
    assert (agency["userType"], "locationId" in agency) == ("Company", False)
    assert orders(box, agency["access_token"]).json()["message"] == "Token's user type mismatch!"
    answer = exchanged(box, agency["access_token"], box.location_id(), agency["companyId"])
    assert (answer.status_code, answer.json()["locationId"]) == (201, box.location_id())
    assert orders(box, answer.json()["access_token"]).status_code == 200
    assert exchanged(box, agency["access_token"], "somewhere", agency["companyId"]).status_code == 400


def test_only_an_agencys_token_with_its_scope_is_exchanged(box: RunningSandbox) -> None:
    company = granted(box, "agency")["companyId"]
    location = granted(box, box.location_id())["access_token"]
    private = box.ready["systems"]["ghl"]["locations"][0]["token"]
    narrow = granted(box, "agency", scope="payments/orders.readonly")["access_token"]
    answers = [exchanged(box, token, box.location_id(), company) for token in (location, private, narrow)]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert answers[0].json()["message"] == "Token's user type mismatch!"
    assert answers[1].json()["message"].startswith("This authClass type is not allowed")
    assert answers[2].json()["message"] == "The token is not authorized for this scope."


def test_the_consent_page_offers_locations_agency_and_refusal_and_a_refusal_comes_back(box: RunningSandbox) -> None:
    app = box.ready["systems"]["ghl"]["oauth"]
    asked = {"response_type": "code", "client_id": app["client_id"], "redirect_uri": REDIRECT, "state": '"><b>'}
    page = box.http.get("/ghl/oauth/chooselocation", params=asked)
    assert page.status_code == 200
    assert all(f"choice={choice}" in page.text for choice in (box.location_id(), "agency", "deny"))
    assert "<b>" not in page.text
    assert consent(box, "deny") == {"error": "access_denied", "state": "s 1"}
    assert box.http.get("/ghl/oauth/chooselocation", params=asked | {"client_id": "other"}).status_code == 400
