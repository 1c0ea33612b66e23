"""Act!'s errors, tokens and rate headers, one by one."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ghl_payments.connectors.act.auth import expiry, read_token
from ghl_payments.connectors.act.fields import SPECS, json_name, label_of, needed
from ghl_payments.connectors.act.http import announced_pause
from ghl_payments.connectors.act.options import ActOptions
from ghl_payments.transport.exchange import Response
from ghl_payments.transport.jsontext import WrongShape


def jwt(claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJh.{payload}.c2ln"


def answered(text: str) -> Response:
    return Response(200, {}, text.encode(), {})


@pytest.mark.parametrize("text", ["{}", '"{}"', "  {}\r\n", ' "{}" \r\n'])
def test_a_token_is_taken_out_of_blanks_and_quotes(text: str) -> None:
    token = jwt({"exp": 5})
    assert read_token(answered(text.format(token))) == token


@pytest.mark.parametrize("text", ["", "<html></html>", "a.b", "a..c", "please sign in. now. here"])
def test_anything_else_is_no_token(text: str) -> None:
    with pytest.raises(WrongShape):
        read_token(answered(text))


@pytest.mark.parametrize(
    ("token", "ends"), [(jwt({"exp": 1_800_000_000}), 1_800_000_000), (jwt({}), None), (jwt([]), None), ("a.%%.c", None)]
)  # fmt: skip
def test_a_tokens_end_is_its_own_claim_where_it_can_be_read(token: str, ends: float | None) -> None:
    assert expiry(token) == ends


@pytest.mark.parametrize(
    ("remaining", "reset", "pause"),
    [("5", "10", 0), ("0", "10", 10), ("0", "1000030", 60), ("0", None, 60), ("0", "1800000020", 20),
     ("0", "1700000000", 0), (None, "10", 0), ("many", "10", 0)],
)  # fmt: skip
def test_an_empty_window_is_waited_out(remaining: str | None, reset: str | None, pause: float) -> None:
    headers = {"x-ratelimit-remaining": remaining, "x-ratelimit-reset": reset}
    known = {name: value for name, value in headers.items() if value is not None}
    assert announced_pause(known, now=1_800_000_000.0) == pause


def test_a_field_is_known_by_any_of_its_names_but_shown_under_one() -> None:
    columns: list[dict[str, Any]] = [{"name": "E-mail (Y/N)", "displayName": "E-mail (Y/N)", "columnName": "EMAIL__Y_N"},
               {"name": "Ours", "displayName": "GHL key", "columnName": "CUST_7", "isReadOnly": False},
               {"name": "Locked", "columnName": "LOCKED", "isReadOnly": True}]  # fmt: skip
    assert json_name("e-mail (y/n)", columns, ["email__y_n"]) == "email__y_n"
    assert json_name("ghl KEY", columns, []) == "cust_7"
    assert json_name("GHL key", columns, ["ghl_key"]) == "ghl_key"
    assert json_name("Locked", columns, []) is None
    assert json_name("user1", [], ["user1"]) == "user1"
    assert json_name("user2", [], ["user1"]) is None


def test_names_of_fields_can_be_configured_and_unknown_ones_are_named() -> None:
    options = ActOptions.model_validate({"fields": {"opportunity": {"ghl_status": "Opportunity Field 1"}}})
    labels = {spec.name: label_of(spec, options.fields) for spec in SPECS if spec.owner == "opportunity"}
    assert (labels["ghl_status"], labels["ghl_key"]) == ("Opportunity Field 1", "ghl_key")
    refused: tuple[dict[str, Any], ...] = ({"deal": {}}, {"opportunity": {"status": "x"}})
    for wrong in refused:
        with pytest.raises(ValueError, match="has no field"):
            ActOptions.model_validate({"fields": wrong})


def test_tables_need_no_fallback_fields_and_no_tables_need_no_columns() -> None:
    assert {spec.owner for spec in needed(tables=False)} == {"contact", "opportunity"}
    assert not any(spec.fallback for spec in needed(tables=True))
    assert all(spec.length is None or spec.length >= 3 for spec in SPECS)
