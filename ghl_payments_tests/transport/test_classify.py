"""Statuses and bodies of both vendors, as documented or seen, and the class each stands for."""

from __future__ import annotations

import json

import pytest

from ghl_payments.transport import errors
from ghl_payments.transport.classify import classify


@pytest.mark.parametrize(
    ("system", "status", "body", "expected"),
    [
        ("ghl", 400, {"statusCode": 400, "message": "Bad Request"}, errors.Rejected),
        ("ghl", 400, {"statusCode": 400, "message": "Order not found"}, errors.NotFound),
        ("ghl", 401, {"statusCode": 401, "message": "Invalid JWT"}, errors.Unauthorised),
        ("ghl", 401, {"message": "The token is not authorized for this scope."}, errors.MissingScope),
        ("ghl", 401, {"message": "Token's user type mismatch!"}, errors.WrongTokenClass),
        ("ghl", 401, {"message": "version header was not found."}, errors.Rejected),
        ("ghl", 403, {"message": "The token does not have access to this location."}, errors.Forbidden),
        ("ghl", 404, {"status": 404, "message": "Order not found", "name": "HttpException"}, errors.NotFound),
        ("ghl", 404, {"statusCode": 404, "message": "Cannot GET /payments/orders", "error": "Not Found"},
         errors.SchemaDrift),
        ("ghl", 404, "<html>not found</html>", errors.Transient),
        ("ghl", 409, {"message": "locked"}, errors.Conflict),
        ("ghl", 422, {"statusCode": 422, "message": ["altType must be location"]}, errors.Rejected),
        ("ghl", 429, {"statusCode": 429}, errors.RateLimited),
        ("ghl", 500, "", errors.Transient),
        ("halo", 400, {"resultCode": 400, "errorMessage": "x"}, errors.Rejected),
        ("halo", 400, {"[0].id": ["x"]}, errors.Rejected),
        ("halo", 401, "", errors.Unauthorised),
        ("halo", 401, {"error": "invalid_client", "error_description": "x"}, errors.Unauthorised),
        ("halo", 403, "", errors.Forbidden),
        ("halo", 404, "", errors.NotFound),
        ("halo", 429, "Rate Limit Reached - 300 Requests per rolling 5 minute window", errors.RateLimited),
        ("halo", 503, "<html>", errors.Transient),
        ("other", 404, "", errors.NotFound),
        ("other", 302, "", errors.SchemaDrift),
        ("other", 700, "", errors.SchemaDrift),
    ],
)  # fmt: skip
def test_every_answer_has_its_class(system: str, status: int, body: object, expected: type[errors.ApiError]) -> None:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    error = classify(system=system, method="GET", path="/payments/orders/1", status=status, body=raw)
    assert type(error) is expected
    assert str(error).startswith(f"{system} GET /payments/orders/1 answered {status}")
    assert error.remedy in str(error)


def test_the_text_of_a_body_is_used_to_classify_and_never_shown() -> None:
    body = json.dumps({"message": "Order of contact0001@example.com not found"}).encode()
    error = classify(system="ghl", method="GET", path="/x", status=400, body=body)
    assert isinstance(error, errors.NotFound)
    assert "contact0001" not in f"{error} {vars(error)}"
