"""Events and their signatures: verified by a library that is not ours, the same for the same state, and discreet."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from ghl_payments.connections import SettingsError
from ghl_payments.connectors.rankr.connect import RankrConnector
from ghl_payments.connectors.webhook.events import event_id_of, event_of
from ghl_payments.connectors.webhook.options import Options
from ghl_payments.connectors.webhook.signing import read_secret, signatures
from ghl_payments.transport.errors import Rejected
from ghl_payments_tests.connectors.webhook_support import OTHER, SECRET, order

KEY = read_secret(SecretStr(SECRET), "secret", "rankr")
OTHER_KEY = read_secret(SecretStr(OTHER), "previous_secret", "rankr")


def headers(body: bytes, *keys: bytes, at: datetime | None = None) -> dict[str, str]:
    stamp = int((at or datetime.now(UTC)).timestamp())
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(stamp),
        "webhook-signature": signatures(keys, "msg_1", stamp, body),
    }


def told(**options: object) -> dict[str, object]:
    event = event_of("rankr", order(), "updated", Options.model_validate(options), RankrConnector.shape)
    document: dict[str, object] = json.loads(event.body)
    return document


@given(body=st.binary(max_size=200), key=st.binary(min_size=24, max_size=64))
def test_the_library_computes_the_same_signature(body: bytes, key: bytes) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    text = body.hex()
    library = Webhook("whsec_" + base64.b64encode(key).decode())
    assert signatures([key], "msg_1", int(at.timestamp()), text.encode()) == library.sign("msg_1", at, text)


def test_a_known_event_has_the_signature_that_others_computed_for_it() -> None:
    body = (
        b'{"type":"payment.order.updated","timestamp":"2026-11-21T09:00:00Z","data":{"orderId":"653f5e0cde5a1314e62a837c",'
        b'"source":"ghl","eventType":"order.updated"}}'
    )
    signed = signatures([KEY], "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", 1674087231, body)
    assert signed == "v1,BOg7LT/vl8iXAHQn8CU3qvP2tep0+xB5ef1wR8lka9A="


def test_while_keys_are_exchanged_a_receiver_may_know_either() -> None:
    body = b'{"a":1}'
    for secret in (SECRET, OTHER):
        assert Webhook(secret).verify(body, headers(body, KEY, OTHER_KEY)) == {"a": 1}
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(body, headers(body, KEY))


def test_a_body_that_was_tampered_with_and_an_old_event_are_not_verified() -> None:
    body, library = b'{"a":1}', Webhook(SECRET)
    with pytest.raises(WebhookVerificationError):
        library.verify(b'{"a":2}', headers(body, KEY))
    with pytest.raises(WebhookVerificationError):
        library.verify(body, headers(body, KEY, at=datetime.now(UTC) - timedelta(seconds=301)))


@pytest.mark.parametrize("text", ["", "plain text", "whsec_", "whsec_" + "A" * 20, "whsec_" + "A" * 100])
def test_what_is_no_signing_secret_is_told_without_showing_it(text: str) -> None:
    with pytest.raises(SettingsError, match="credential 'secret' is no signing secret") as caught:
        read_secret(SecretStr(text), "secret", "rankr")
    assert not text.removeprefix("whsec_") or text not in str(caught.value)


def test_the_same_state_is_the_same_event_and_one_that_comes_back_is_another() -> None:
    first, second, again = order("1", revision=1), order("2", revision=2), order("1", revision=3)
    assert event_id_of(first) == event_id_of(order("1", revision=1))
    assert len({event_id_of(record) for record in (first, second, again)}) == 3
    later = replace(first, fields={**first.fields, "updated_at": "2026-02-02T00:00:00.000Z"})
    assert event_id_of(later) == event_id_of(first), "when it changed says nothing of what it is"
    assert len(event_id_of(first)) == len("msg_") + 32
    assert "." not in event_id_of(first)


@pytest.mark.parametrize("change", ["location_id", "record_type", "key"])
def test_another_record_is_another_event(change: str) -> None:
    other = {"location_id": "LocationTwo", "record_type": "transaction", "key": "ghl:order:o2"}[change]
    assert event_id_of(replace(order(), **{change: other})) != event_id_of(order())  # type: ignore[arg-type]


def test_an_event_says_what_the_record_is_with_amounts_as_decimal_text() -> None:
    document = told()
    assert document["type"] == "payment.order.updated"
    assert document["timestamp"] == "2026-01-02T03:04:05.678Z"
    assert document["data"] == {
        "schemaVersion": 1, "source": "ghl", "eventType": "order.updated", "locationId": "LocationOne",
        "entity": "order", "entityId": "o1", "key": "ghl:order:o1", "version": "2026-01-02T03:04:05.678Z",
        "revision": 1, "orderId": "o1", "amount": "100.50", "currency": "USD", "status": "completed",
        "paymentStatus": "paid", "updatedAt": "2026-01-02T03:04:05.678Z", "contentHash": "sha256:10050",
    }  # fmt: skip


CREATED = "2026-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("updated", "created", "told_time"),
    [("2026-01-02T03:04:05.678Z", CREATED, "2026-01-02T03:04:05.678Z"), (None, CREATED, CREATED), (None, None, None)],
)
def test_a_record_that_never_changed_is_of_the_time_it_was_created_and_an_unknown_time_is_left_out(
    updated: str | None, created: str | None, told_time: str | None
) -> None:
    record = order(updated_at=updated, created_at=created)
    forms = ("standard", "cloudevents_structured", "cloudevents_binary")
    events = [
        event_of("rankr", record, "created", Options.model_validate({"envelope": form, "signing": "none"}),
                 RankrConnector.shape)
        for form in forms
    ]  # fmt: skip
    standard, structured, binary = (json.loads(event.body) for event in events)
    expected = {} if told_time is None else {"time": told_time}
    assert {name: text for name, text in standard.items() if name == "timestamp"} == (
        {} if told_time is None else {"timestamp": told_time}
    )
    assert {name: text for name, text in structured.items() if name == "time"} == expected
    assert {name[3:]: text for name, text in events[2].headers.items() if name == "ce-time"} == expected
    assert [data["version"] for data in (standard["data"], structured["data"], binary)] == [told_time] * 3


def test_a_structured_cloud_event_carries_the_same_data_and_the_same_id() -> None:
    record = order()
    options = Options(envelope="cloudevents_structured")
    event = event_of("rankr", record, "created", options, RankrConnector.shape)
    document = json.loads(event.body)
    assert event.content_type == "application/cloudevents+json"
    assert (document["specversion"], document["id"]) == ("1.0", event_id_of(record))
    assert (document["source"], document["subject"]) == ("/ghl/locations/LocationOne", "orders/o1")
    assert document["data"]["amount"] == "100.50"


def test_a_binary_cloud_event_is_in_headers_and_refused_together_with_signatures() -> None:
    with pytest.raises(ValueError, match="which the signature does not cover"):
        Options(envelope="cloudevents_binary")
    options = Options(envelope="cloudevents_binary", signing="none")
    event = event_of("rankr", order(), "created", options, RankrConnector.shape)
    assert event.headers["ce-id"] == event.event_id
    assert event.headers["ce-type"] == "payment.order.created"
    assert json.loads(event.body)["entityId"] == "o1"


@pytest.mark.parametrize(("form", "expected"), [("off", None), ("bare", "{}"), ("quoted", '"{}"')])
def test_an_idempotency_key_is_the_events_id_in_the_form_that_was_chosen(form: str, expected: str | None) -> None:
    options = Options.model_validate({"idempotency_key": form})
    event = event_of("rankr", order(), "created", options, RankrConnector.shape)
    value = expected.format(event.event_id) if expected else None
    assert event.headers.get("Idempotency-Key") == value


def test_an_event_that_is_too_long_is_refused_and_never_cut() -> None:
    with pytest.raises(Rejected, match="receivers take fewer than 20,000"):
        event_of("rankr", order(plan="x" * 20_000), "created", Options(), RankrConnector.shape)
