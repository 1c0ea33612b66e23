"""Halo records that have nothing to do with GHL: currencies, and what other people and integrations keep there.

Add natives here when a reader must be shown not to touch them; none may carry a `ghl:` key.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random

from ghl_payments.sandbox.world_values import DAY, Document, stamp

_CURRENCIES = (
    ("GBP", "£", "1"),
    ("USD", "$", "1.2718"),
    ("EUR", "€", "1.1894"),
    ("CHF", "Fr", "1.1207"),
    ("JPY", "¥", "190.42"),
    ("KWD", "KD", "0.3893"),
    ("BHD", "BD", "0.4795"),
    ("ISK", "kr", "175.61"),
    ("AUD", "A$", "1.9421"),
    ("CAD", "C$", "1.7305"),
    ("SEK", "kr", "13.371"),
    ("INR", "₹", "106.8"),
    ("UGX", "USh", "4714.2"),
)
_OTHER = "quickbooks"
NATIVES = 6


def currencies() -> list[Document]:
    """Currencies whose ids are neither their positions nor in order."""
    return [
        {"id": 4 + n * 7 % 31, "name": code, "symbol": symbol, "code": code, "conversion_rate": Decimal(rate)}
        for n, (code, symbol, rate) in enumerate(_CURRENCIES)
    ]


def add_natives(halo: dict[str, list[Document]], rng: Random, now: int) -> None:
    """A few records of each kind that belong to Halo's own people or to another integration; ids start low."""
    usd = next(row["id"] for row in halo["Currency"] if row["code"] == "USD")
    halo["Client"].append({"id": 1, "name": "Unknown", "inactive": False, "main_site_id": 1})
    for n in range(1, NATIVES + 1):
        moment = now - rng.randrange(10, 300) * DAY
        client_id, site = 1 + n, 1 + n
        client = {"id": client_id, "name": f"Native Client {n}", "inactive": n == NATIVES, "main_site_id": site}
        user = {
            "id": n,
            "name": f"Native User {n}",
            "firstname": "Native",
            "surname": f"User {n}",
            "emailaddress": f"native{n}@example.com",
            "client_id": client_id,
            "site_id": site,
            "inactive": False,
        }
        halo["Client"].append(client)
        halo["Users"].append(user)
        _add_native_sale(halo, n, client_id, usd, rng.randrange(40, 900), moment)


def _add_native_sale(
    halo: dict[str, list[Document]], n: int, client_id: int, currency: int, amount: int, moment: int
) -> None:
    when = stamp(moment)
    halo["SalesOrder"].append(
        {
            "id": n,
            "client_id": client_id,
            "user_id": n,
            "title": f"Hardware {n}",
            "po_number": f"PO-{1000 + n}",
            "date": when,
            "status": 1,
            "currency_code": currency,
            "total": amount,
            "last_update_time": when,
            "lines": [{"id": n, "name": "Hardware", "quantity": 1, "price": amount, "note": ""}],
            "customfields": [],
        }
    )
    halo["Invoice"].append(
        {
            "id": n,
            "client_id": client_id,
            "salesorder_id": n,
            "invoicenumber": str(n),
            "reference": f"REF-{n}",
            "thirdpartyinvoicenumber": f"QB-{n}" if n % 2 else None,
            "invoice_date": when,
            "duedate": when,
            "currency_code": currency,
            "total": amount,
            "amountpaid": amount,
            "amountdue": 0,
            "paymentstatus": 1,
            "last_modified": when,
            "customfields": [],
            "lines": [{"id": n, "item_shortdescription": "Hardware", "qty_order": 1, "unit_price": amount}],
        }
    )
    halo["InvoicePayment"].append(
        {
            "id": n,
            "invoice_id": n,
            "client_id": client_id,
            "date": when,
            "amount": amount,
            "intent_id": f"pi_native{n}" if n % 2 else None,
            "thirdpartyid": None if n % 2 else f"xero-{n}",
        }
    )
    halo["ExternalLink"].append(
        {
            "id": n,
            "table_id": 995,
            "halo_id": n,
            "third_party_id": f"{_OTHER}:{n}",
            "third_party_secondary_id": None,
            "third_party_type": _OTHER,
            "third_party_desc": "Accounting",
        }
    )
