"""Keys: made and taken apart without loss; whatever is not ours is nobody's key."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghl_payments.domain.keys import STREAM_OF_KIND, KeyKind, ghl_key, parse_key
from ghl_payments.domain.streams import STREAMS

KINDS: tuple[KeyKind, ...] = get_args(KeyKind)


@given(kind=st.sampled_from(KINDS), record_id=st.text(min_size=1))
def test_a_key_is_taken_apart_as_it_was_made(kind: KeyKind, record_id: str) -> None:
    assert parse_key(ghl_key(kind, record_id)) == (kind, record_id)


def test_an_order_is_known_by_its_id() -> None:
    assert ghl_key("order", "64f0c0ffee") == "ghl:order:64f0c0ffee"


@pytest.mark.parametrize(
    "text", ["", "ghl", "ghl:", "ghl:order", "ghl:order:", "ghl::x", "PO-1", "GHL:order:x", "xghl:order:x"]
)
def test_other_texts_are_no_keys_of_ours(text: str) -> None:
    assert parse_key(text) is None


def test_kinds_that_can_be_looked_up_name_a_stream_that_is_read() -> None:
    assert set(STREAM_OF_KIND) == set(KINDS) - {"contact", "invoice"}
    assert set(STREAM_OF_KIND.values()) <= set(STREAMS)
