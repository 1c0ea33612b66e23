"""Who may ask the sandboxed GHL for what: version, tokens, scopes, locations, limits."""

from __future__ import annotations

import httpx
import pytest

from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.running_sandbox import RunningSandbox
from ghl_payments_tests.sandbox.states import ghl_state, order

ORDERS = "/payments/orders"


def get(box: RunningSandbox, path: str, location_id: str | None = None) -> httpx.Response:
    """One request with the first location's token."""
    with box.ghl() as client:
        return client.get(path, params={"altId": location_id or box.location_id(), "altType": "location"})


@pytest.fixture
def box(sandbox: SandboxFactory) -> RunningSandbox:
    """A location with one order."""
    running = sandbox()
    running.put_state(ghl_state(orders=[order(1, "2026-10-01T00:00:00.000Z")]))
    return running


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({"Version": None}, 401, "version header was not found."),
        ({"Version": "2020-01-01"}, 401, "version header is invalid"),
        ({"Version": "bogus"}, 400, "Invalid API version segment 'bogus' at position 0"),
        ({"Version": "v3"}, 200, None),
        ({"Authorization": "Bearer pit-unknown"}, 401, "Invalid token: access token is invalid"),
        ({"Authorization": "Bearer eyJ"}, 401, "Invalid JWT"),
        ({"Authorization": None}, 401, "Invalid JWT"),
    ],
)
def test_version_and_token_are_checked_with_the_vendors_own_words(
    box: RunningSandbox, headers: dict[str, str | None], status: int, message: str | None
) -> None:
    with box.ghl() as client:
        for name, value in headers.items():
            del client.headers[name]
            if value is not None:
                client.headers[name] = value
        answer = client.get(ORDERS, params={"altId": box.location_id()})
    assert answer.status_code == status
    assert answer.json().get("message") == message


def test_another_locations_id_is_forbidden(box: RunningSandbox) -> None:
    answer = get(box, ORDERS, "somewhere-else")
    assert (answer.status_code, answer.json()["message"]) == (403, "The token does not have access to this location.")


def test_a_missing_scope_is_401_and_says_so(sandbox: SandboxFactory) -> None:
    box = sandbox()
    box.put_state(ghl_state(scopes=["payments/orders.readonly"], orders=[]))
    assert get(box, ORDERS).status_code == 200
    answer = get(box, "/payments/transactions")
    assert (answer.status_code, answer.json()["message"]) == (401, "The token is not authorized for this scope.")


def test_every_answer_carries_the_limits_and_the_request_over_the_limit_is_429(sandbox: SandboxFactory) -> None:
    box = sandbox(limits="vendor")
    with box.ghl() as client:
        answers = [client.get(ORDERS, params={"altId": box.location_id()}) for _ in range(101)]
    assert [answer.status_code for answer in answers] == [200] * 100 + [429]
    assert answers[0].headers["X-RateLimit-Max"] == "100"
    assert answers[0].headers["X-RateLimit-Interval-Milliseconds"] == "10000"
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers[98:]] == ["1", "0", "0"]
    assert answers[-1].headers["X-RateLimit-Daily-Remaining"] == "199900"
    assert "X-RateLimit-Daily-Reset" in answers[-1].headers
    with box.ghl(1) as other:
        assert other.get(ORDERS, params={"altId": box.location_id(1)}).status_code == 200
