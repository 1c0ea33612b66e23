"""Small hand-written states: the least that a test needs, in the vendors' own shapes."""

from __future__ import annotations

from typing import Any

Doc = dict[str, Any]


def order(number: int, created: str, **changes: Any) -> Doc:
    """An order's detail document of one item."""
    return {
        "_id": f"{number:024x}",
        "contactId": f"contact{number:013d}",
        "contactSnapshot": {
            "id": f"contact{number:013d}",
            "firstName": "Contact",
            "lastName": f"{number:04d}",
            "email": f"contact{number:04d}@example.com",
        },
        "currency": "USD",
        "amount": 100,
        "amountSummary": {"subtotal": 110, "discount": 10, "tax": 0, "shipping": 0},
        "status": "completed",
        "paymentStatus": "paid",
        "liveMode": True,
        "source": {"type": "funnel", "subType": "one_step_order_form", "id": "funnel1", "name": "onestep", "meta": {}},
        "coupon": {"_id": "coupon1", "code": "TENOFF"},
        "items": [{"_id": "item1", "name": "Sample", "qty": 1, "price": {"_id": "price1", "type": "one_time"}}],
        "createdAt": created,
        "updatedAt": created,
        "traceId": f"trace{number}",
        **changes,
    }


def transaction(number: int, created: str, **changes: Any) -> Doc:
    """A transaction's detail document."""
    return {
        "_id": f"a{number:023x}",
        "contactSnapshot": {"id": "contact1", "name": "Contact 0001", "email": "contact0001@example.com"},
        "currency": "USD",
        "amount": 100,
        "amountRefunded": 0,
        "status": "succeeded",
        "liveMode": True,
        "entityType": "order",
        "entityId": f"{number:024x}",
        "entitySource": {"type": "funnel", "subType": "upsell", "id": "funnel1", "name": "onestep"},
        "chargeId": f"pi_{number}",
        "paymentProvider": {"type": "stripe", "connectedAccount": {"_id": "account1", "accountId": "acct_1"}},
        "markAsTest": False,
        "createdAt": created,
        "updatedAt": created,
        **changes,
    }


def ghl_state(*, location_id: str | None = None, **parts: Any) -> Doc:
    """A state with one location that holds these parts."""
    location: Doc = {"id": location_id} if location_id else {}
    return {"ghl": {"locations": [location | parts]}}


def halo_state(**tables: list[Doc]) -> Doc:
    """A state of Halo alone, with a client, a user and two currencies that records can refer to."""
    basis: Doc = {
        "Client": [{"id": 1, "name": "Client One", "main_site_id": 1}],
        "Users": [{"id": 1, "name": "Contact 0001", "client_id": 1, "site_id": 1}],
        "Currency": [
            {"id": 11, "code": "USD", "name": "US Dollar", "symbol": "$"},
            {"id": 12, "code": "JPY", "name": "Yen", "symbol": "¥"},
        ],
    }
    return {"halo": basis | tables}
