"""The sandbox's webhooks over real HTTP: who gets them, what they say, how they are signed, and their troubles."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ghl_payments.sandbox.codec import decode
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.flow.shop import order, shop
from ghl_payments_tests.running_sandbox import RunningSandbox


class Listener:
    """Takes what is posted; the first `refusals` are answered with 503."""

    def __init__(self) -> None:
        self.refusals = 0
        self.taken: list[tuple[dict[str, str], bytes]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                refused = listener.refusals > 0
                listener.refusals -= refused
                if not refused:
                    listener.taken.append(({name.lower(): text for name, text in self.headers.items()}, body))
                self.send_response(503 if refused else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/ghl"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def events(self) -> list[dict[str, Any]]:
        return [decode(body) for _, body in self.taken]


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.server.shutdown()
    made.server.server_close()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def subscribed(sandbox: SandboxFactory, listener: Listener, *purchases: int, **trouble: Any) -> RunningSandbox:
    running = sandbox()
    running.put_state(shop(*purchases))
    running.control("PUT", "/webhooks", {"system": "ghl", "url": listener.url, **trouble})
    return running


def happen(running: RunningSandbox, happens: str, **more: Any) -> dict[str, Any]:
    done: dict[str, Any] = running.control("POST", "/happenings", {"happens": happens, **more})
    return done


def key_of(running: RunningSandbox) -> Ed25519PublicKey:
    key = load_pem_public_key(running.env["GHL_PAYMENTS_WEBHOOK_PUBLIC_KEY"].replace(r"\n", "\n").encode())
    assert isinstance(key, Ed25519PublicKey)
    return key


def test_an_event_is_flat_and_signed_over_its_raw_bytes(sandbox: SandboxFactory, listener: Listener) -> None:
    running = subscribed(sandbox, listener, 1)
    done = happen(running, "create", order_id="order1")
    until(lambda: len(listener.taken) == 1)
    headers, body = listener.taken[0]
    key_of(running).verify(base64.b64decode(headers["x-ghl-signature"]), body)
    with pytest.raises(InvalidSignature):
        key_of(running).verify(base64.b64decode(headers["x-ghl-signature"]), body + b" ")
    event = decode(body)
    assert (event["type"], event["locationId"], event["_id"]) == (
        "OrderCreate",
        running.location_id(),
        done["order_id"],
    )
    assert event["webhookId"] == done["delivery_id"]
    assert event["amount"] == Decimal("100.5")
    assert {"timestamp", "appId", "versionId", "contactSnapshot"} <= event.keys()
    assert not {"paymentStatus", "markAsTest", "data"} & event.keys()


def test_a_payment_through_the_api_is_announced_too(sandbox: SandboxFactory, listener: Listener) -> None:
    running = sandbox()
    running.put_state(shop(orders=[order(1, status="pending", paymentStatus="unpaid")]))
    running.control("PUT", "/webhooks", {"system": "ghl", "url": listener.url})
    body = {"altId": running.location_id(), "altType": "location", "mode": "cash"}
    with running.ghl() as ghl:
        assert ghl.post("/payments/orders/order1/record-payment", json=body).status_code < 300
    until(lambda: len(listener.taken) == 1)
    assert (listener.events()[0]["type"], listener.events()[0]["status"]) == ("OrderStatusUpdate", "completed")


def test_what_happened_is_what_the_api_answers(sandbox: SandboxFactory, listener: Listener) -> None:
    running = subscribed(sandbox, listener, 1, 2)
    happen(running, "refund", order_id="order1", amount=30)
    happen(running, "refund", order_id="order2")
    happen(running, "status", order_id="order2", status="cancelled")
    until(lambda: len(listener.taken) == 3)
    part, whole = (_asked(running, f"transactions/txn{n}") for n in (1, 2))
    assert (part["amountRefunded"], part["status"]) == (30, "succeeded")
    assert (whole["amountRefunded"], whole["status"]) == (100.5, "refunded")
    changed = _asked(running, "orders/order2")
    assert (changed["paymentStatus"], changed["status"]) == ("refunded", "cancelled")


def _asked(running: RunningSandbox, path: str) -> Any:
    with running.ghl() as ghl:
        return ghl.get(f"/payments/{path}", params={"altId": running.location_id(), "altType": "location"}).json()


def test_what_is_refused_is_sent_again_with_the_same_bytes(sandbox: SandboxFactory, listener: Listener) -> None:
    listener.refusals = 3
    running = subscribed(sandbox, listener, 1)
    happen(running, "announce", order_id="order1")
    until(lambda: running.control("GET", "/webhooks")["sent"][0]["outcome"] == "delivered")
    row = running.control("GET", "/webhooks")["sent"][0]
    assert (row["tries"], row["status"], len(listener.taken)) == (4, 200, 1)


def test_copies_carry_the_same_id_and_the_newest_comes_first_when_asked_for(
    sandbox: SandboxFactory, listener: Listener
) -> None:
    running = subscribed(sandbox, listener, 1, copies=2, reverse=True)
    ids = [happen(running, "announce", order_id="order1")["delivery_id"] for _ in range(3)]
    until(lambda: len(listener.taken) == 6)
    taken = [event["webhookId"] for event in listener.events()]
    assert sorted(taken) == sorted(2 * ids)
    assert [x for n, x in enumerate(taken) if x in taken[:n]] == ids[::-1]


def test_events_are_lost_and_signatures_withheld_on_demand(sandbox: SandboxFactory, listener: Listener) -> None:
    running = subscribed(sandbox, listener, 1, drop_every=2, signature="N/A")
    for _ in range(4):
        happen(running, "announce", order_id="order1")
    until(lambda: len(listener.taken) == 2)
    assert {headers["x-ghl-signature"] for headers, _ in listener.taken} == {"N/A"}
    outcomes = [row["outcome"] for row in running.control("GET", "/webhooks")["sent"]]
    assert outcomes.count("dropped") == 2


def test_a_silent_happening_and_an_unsubscribed_one_send_nothing(sandbox: SandboxFactory, listener: Listener) -> None:
    running = subscribed(sandbox, listener, 1)
    assert happen(running, "status", order_id="order1", status="cancelled", silent=True)["delivery_id"] is None
    running.control("DELETE", "/webhooks")
    happen(running, "announce", order_id="order1")
    assert running.control("GET", "/webhooks") == {"subscriptions": [], "sent": []}


@pytest.mark.parametrize(
    "wrong", [{"happens": "explode"}, {"happens": "pay", "order_id": "nobody"}, {"happens": "create"}, {"x": 1}]
)
def test_what_cannot_happen_says_why(sandbox: SandboxFactory, wrong: dict[str, Any]) -> None:
    answer = sandbox().http.post("/_sandbox/happenings", json=wrong)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_webhooks_leave_this_machine_never(sandbox: SandboxFactory) -> None:
    answer = sandbox().http.put("/_sandbox/webhooks", json={"system": "ghl", "url": "http://example.com/x"})
    assert answer.status_code == 400
