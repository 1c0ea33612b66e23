"""What the receiver takes, keeps, and answers, over real HTTP; keys are made by the tests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ghl_payments.domain.inbox import InboxEvent, RecordRef
from ghl_payments_tests.receiver.support import (
    HMAC_HEADER,
    HOOK_SECRET,
    LOCATION,
    SIGNING_KEY,
    RunningReceiver,
    legacy_signed,
    order_event,
    signed,
)


def kept(receiver: RunningReceiver, body: bytes) -> list[InboxEvent]:
    return [event for event in receiver.events() if event.body == body]


def test_a_signed_event_is_in_the_inbox_when_it_is_answered(receiver: RunningReceiver) -> None:
    body = order_event("OrderCreate", webhookId="first-of-all")
    answer = receiver.deliver(body)
    assert (answer.status_code, answer.json()) == (200, {"stored": True, "copy": False})
    (event,) = kept(receiver, body)
    assert (event.system, event.connection, event.location_id) == ("ghl", "ghl", LOCATION)
    assert (event.event, event.delivery_id, event.verified) == ("OrderCreate", "first-of-all", "ed25519")
    assert event.records == (RecordRef("order", "order0000000000000000001"),)
    assert event.event_at is not None
    assert abs(event.received_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_legacy_signature_counts_where_the_current_one_is_absent_or_na(receiver: RunningReceiver) -> None:
    for extra in ({}, {"X-GHL-Signature": "N/A"}, {"X-GHL-Signature": ""}):
        body = order_event()
        assert receiver.post(body, legacy_signed(body) | extra).status_code == 200
        assert kept(receiver, body)[0].verified == "rsa"


def test_a_wrong_current_signature_is_not_mended_by_a_right_legacy_one(receiver: RunningReceiver) -> None:
    body = order_event()
    wrong = signed(body, Ed25519PrivateKey.generate())
    assert receiver.post(body, legacy_signed(body) | wrong).status_code == 401
    assert not kept(receiver, body)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-GHL-Signature": "N/A"},
        {"X-GHL-Signature": "N/A", "X-WH-Signature": "N/A"},
        {"X-GHL-Signature": "not base64!"},
        {"X-GHL-Signature": base64.b64encode(bytes(64)).decode()},
        {"X-GHL-Signature": base64.b64encode(b"short").decode()},
        {"X-WH-Signature": base64.b64encode(bytes(256)).decode()},
        {"X-Webhook-Secret": "a-secret-that-is-not-the-right-one"},
    ],
)
def test_what_nobody_vouches_for_is_refused_and_not_kept(receiver: RunningReceiver, headers: dict[str, str]) -> None:
    body = order_event()
    assert receiver.post(body, headers).status_code == 401
    assert not kept(receiver, body)


def test_the_signature_covers_every_byte_as_it_was_sent(receiver: RunningReceiver) -> None:
    body = order_event()
    same_document = json.dumps(json.loads(body), indent=1).encode()
    assert receiver.post(same_document, signed(body)).status_code == 401
    assert receiver.post(body + b" ", signed(body)).status_code == 401
    assert receiver.post(body, signed(body)).status_code == 200


def test_seven_copies_of_a_webhook_id_are_one_line(receiver: RunningReceiver) -> None:
    body = order_event()
    answers = [receiver.deliver(body) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 7
    assert [answer.json()["copy"] for answer in answers] == [False] + [True] * 6
    assert len(kept(receiver, body)) == 1


def test_copies_that_arrive_at_once_are_one_line(receiver: RunningReceiver) -> None:
    body = order_event()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: receiver.deliver(body), range(24)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(kept(receiver, body)) == 1


def test_the_same_content_under_a_new_id_is_a_delivery_of_its_own(receiver: RunningReceiver) -> None:
    bodies = [order_event(_id="order-told-twice", timestamp="2999-01-01T00:00:00Z") for _ in range(2)]
    for body in bodies:
        assert receiver.deliver(body).json()["copy"] is False
    assert len([e for e in receiver.events() if e.records == (RecordRef("order", "order-told-twice"),)]) == 2


def test_a_refused_copy_does_not_hide_the_genuine_one(receiver: RunningReceiver) -> None:
    body = order_event()
    assert receiver.post(body, signed(b"something else")).status_code == 401
    assert receiver.deliver(body).json() == {"stored": True, "copy": False}


def test_signed_events_without_an_id_are_told_apart_by_their_bytes(receiver: RunningReceiver) -> None:
    body = order_event(webhookId=None, note=str(uuid.uuid4()))
    assert [receiver.deliver(body).json()["copy"] for _ in range(2)] == [False, True]
    (event,) = kept(receiver, body)
    assert event.delivery_id == f"sha256:{hashlib.sha256(body).hexdigest()}"


def test_events_out_of_order_are_all_kept_in_the_order_they_came(receiver: RunningReceiver) -> None:
    later = order_event("OrderStatusUpdate", _id="upside-down", timestamp="2998-01-02T00:00:00Z")
    earlier = order_event("OrderCreate", _id="upside-down", timestamp="2998-01-01T00:00:00Z")
    for body in (later, earlier):
        assert receiver.deliver(body).status_code == 200
    found = [event for event in receiver.events() if event.records == (RecordRef("order", "upside-down"),)]
    assert [event.event for event in found] == ["OrderStatusUpdate", "OrderCreate"]


@pytest.mark.parametrize("age", [timedelta(minutes=70), timedelta(days=3), timedelta(days=29)])
def test_a_retry_or_a_resend_of_an_old_event_is_taken(receiver: RunningReceiver, age: timedelta) -> None:
    body = order_event(timestamp=(datetime.now(UTC) - age).isoformat())
    assert receiver.deliver(body).status_code == 200


def test_an_event_beyond_the_replay_window_is_refused(receiver: RunningReceiver) -> None:
    body = order_event(timestamp=(datetime.now(UTC) - timedelta(days=31)).isoformat())
    assert receiver.deliver(body).status_code == 401
    assert not kept(receiver, body)


def test_an_event_of_an_unknown_type_is_kept(receiver: RunningReceiver) -> None:
    body = order_event("SomethingThatGhlWillInvent")
    assert receiver.deliver(body).status_code == 200
    (event,) = kept(receiver, body)
    assert (event.event, event.records) == ("SomethingThatGhlWillInvent", ())


@pytest.mark.parametrize(
    "body",
    [b"", b"no json", b"\xff\xfe\x00", b"[]", b"null", b'{"type": 7, "webhookId": {}, "locationId": ""}',
     b"[" * 100_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000, b'{"type": "\\ud800"}'],
)  # fmt: skip
def test_a_signed_body_that_is_no_event_is_kept_as_it_is(receiver: RunningReceiver, body: bytes) -> None:
    assert receiver.deliver(body).status_code == 200
    (event,) = kept(receiver, body)
    assert event.delivery_id == f"sha256:{hashlib.sha256(body).hexdigest()}"


def test_a_location_that_is_not_ours_is_kept_as_it_was_given(receiver: RunningReceiver) -> None:
    body = order_event(locationId="somebody elses")
    assert receiver.deliver(body).status_code == 200
    (event,) = kept(receiver, body)
    assert (event.location_id, event.connection) == ("somebody elses", None)


def test_an_invoice_without_type_and_location_is_named_by_its_address(receiver: RunningReceiver) -> None:
    body = order_event(None, locationId=None, altId=LOCATION, altType="location", _id="invoice1")  # type: ignore[arg-type]
    assert receiver.deliver(body, "/webhooks/ghl/events/InvoicePaid").status_code == 200
    (event,) = kept(receiver, body)
    assert (event.event, event.location_id, event.records) == (
        "InvoicePaid",
        LOCATION,
        (RecordRef("invoice", "invoice1"),),
    )


def test_a_prices_own_type_does_not_hide_the_events(receiver: RunningReceiver) -> None:
    body = order_event("one_time", _id="price1")
    assert receiver.deliver(body, "/webhooks/ghl/events/PriceUpdate").status_code == 200
    (event,) = kept(receiver, body)
    assert (event.event, event.records) == ("PriceUpdate", (RecordRef("price", "price1"),))


def test_a_signed_events_own_type_outweighs_the_address(receiver: RunningReceiver) -> None:
    body = order_event("ContactUpdate", _id=None, id="contact1")
    assert receiver.deliver(body, "/webhooks/ghl/events/InvoicePaid").status_code == 200
    (event,) = kept(receiver, body)
    assert (event.event, event.records) == ("ContactUpdate", (RecordRef("contact", "contact1"),))


def parcel(event: str = "OrderUpdated", **data: object) -> bytes:
    about = {"Event": event, "Date": datetime.now(UTC).isoformat()}
    return json.dumps({"Metadata": about, "Data": data, "unique": str(uuid.uuid4())}).encode()


def test_a_hook_is_kept_with_the_secret_in_its_address_or_in_a_header(receiver: RunningReceiver) -> None:
    in_path, in_header = parcel(TrackId="T1", CustomerReferenceId=LOCATION), parcel("OrderDeleted", Number="GHL-1")
    assert receiver.post(in_path, path=f"/webhooks/parcels/{HOOK_SECRET}").status_code == 200
    assert receiver.post(in_header, {"X-Webhook-Secret": HOOK_SECRET}, "/webhooks/parcels").status_code == 200
    (first,), (second,) = kept(receiver, in_path), kept(receiver, in_header)
    assert (first.system, first.connection, first.verified) == ("trackpod", "parcels", "secret")
    assert (first.event, first.location_id, first.records) == ("OrderUpdated", LOCATION, (RecordRef("order", "T1"),))
    assert second.records == (RecordRef("order_number", "GHL-1"),)
    assert first.delivery_id == f"sha256:{hashlib.sha256(in_path).hexdigest()}"


def test_a_hook_without_the_right_secret_is_refused(receiver: RunningReceiver) -> None:
    body = parcel()
    for path, headers in [
        ("/webhooks/parcels", {}),
        ("/webhooks/parcels/", {}),
        (f"/webhooks/parcels/{HOOK_SECRET}x", {}),
        (f"/webhooks/parcels/{HOOK_SECRET[:-1]}", {}),
        (f"/webhooks/parcels/%ff%00{HOOK_SECRET}", {}),
        ("/webhooks/parcels", {"X-Webhook-Secret": ""}),
        ("/webhooks/parcels", signed(body)),
    ]:
        assert receiver.post(body, headers, path).status_code in {401, 404}
    assert not kept(receiver, body)


def test_a_hook_twice_is_one_line_until_it_tells_something_else(receiver: RunningReceiver) -> None:
    path = f"/webhooks/parcels/{HOOK_SECRET}"
    once, again = parcel(TrackId="T2"), parcel(TrackId="T2")
    assert [receiver.post(body, path=path).json()["copy"] for body in (once, once, again)] == [False, True, False]


def test_a_contact_hook_names_its_contact(receiver: RunningReceiver) -> None:
    body = json.dumps({"event_type": "contact_change", "contact_id": 4711}).encode()
    assert receiver.post(body, path=f"/webhooks/mails/{HOOK_SECRET}").status_code == 200
    (event,) = kept(receiver, body)
    assert (event.system, event.event, event.records) == (
        "activetrail",
        "contact_change",
        (RecordRef("contact", "4711"),),
    )


def test_an_unsigned_workflow_hook_is_a_hint_about_ghl(receiver: RunningReceiver) -> None:
    body = order_event(webhookId="made-up")
    assert receiver.post(body, path=f"/webhooks/ghl/{HOOK_SECRET}").status_code == 200
    (event,) = kept(receiver, body)
    assert (event.system, event.verified) == ("ghl", "secret")
    assert event.delivery_id.startswith("sha256:")
    by_header = order_event()
    assert receiver.post(by_header, {"X-Webhook-Secret": HOOK_SECRET}).status_code == 200


def test_a_hint_with_a_webhook_id_does_not_hide_the_signed_event(receiver: RunningReceiver) -> None:
    body = order_event()
    assert receiver.post(body, path=f"/webhooks/ghl/{HOOK_SECRET}").status_code == 200
    assert receiver.deliver(body).json()["copy"] is False


def test_a_signature_that_is_set_up_for_hooks_must_be_right(receiver: RunningReceiver) -> None:
    path, digest = f"/webhooks/signed/{HOOK_SECRET}", hashlib.sha256
    for encode in (bytes.hex, lambda raw: base64.b64encode(raw).decode(), lambda raw: f"sha256={raw.hex()}"):
        body = parcel()
        right = hmac.new(SIGNING_KEY.encode(), body, digest).digest()
        assert receiver.post(body, {}, path).status_code == 401
        assert receiver.post(body, {HMAC_HEADER: encode(bytes(32))}, path).status_code == 401
        assert receiver.post(body, {HMAC_HEADER: encode(right)}, path).status_code == 200


def test_other_methods_and_addresses_have_their_own_answers(receiver: RunningReceiver) -> None:
    assert receiver.http.get("/healthz").json()["ok"] is True
    for path in ("/webhooks/ghl", f"/webhooks/parcels/{HOOK_SECRET}"):
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
            answer = receiver.http.request(method, path)
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    for path in ("/", "/webhooks", "/webhooks/nobody", f"/webhooks/nobody/{HOOK_SECRET}", "/webhooks/ghl/events/..%2F",
                 "/webhooks/ghl/events/A%20B", f"/webhooks/parcels/{HOOK_SECRET}/more"):  # fmt: skip
        body = order_event()
        assert receiver.post(body, signed(body), path).status_code == 404


def test_nothing_that_was_printed_holds_a_secret_an_address_or_a_person(receiver: RunningReceiver) -> None:
    body = order_event(contactSnapshot={"email": "somebody@example.com"})
    receiver.deliver(body)
    receiver.post(body, {}, f"/webhooks/parcels/{HOOK_SECRET}x")
    receiver.post(body, {}, f"/webhooks/parcels/{HOOK_SECRET}")
    output = receiver.output
    assert "401" in output
    for hidden in (HOOK_SECRET, SIGNING_KEY, "somebody@example.com", "/webhooks/parcels/hook"):
        assert hidden not in output


def test_inbox_files_are_for_their_owner_only(receiver: RunningReceiver) -> None:
    receiver.deliver(order_event())
    assert {path.stat().st_mode & 0o777 for path in receiver.inbox.glob("*.ndjson")} == {0o600}
    assert receiver.inbox.stat().st_mode & 0o777 == 0o700


def test_the_receiver_loads_neither_the_warehouse_nor_dagster() -> None:
    code = (
        "import sys, ghl_payments.cli, ghl_payments.receiver.server, ghl_payments.commands.webhooks;"
        "print([name for name in ('duckdb', 'dagster', 'httpx', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
