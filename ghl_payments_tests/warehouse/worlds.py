"""Random small worlds: purchases as odd as GHL's documents can be, and a Halo that agrees with them only in part.

Add an oddity here when a rule of agreement knows one more; what must come out is the oracle's business.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

from ghl_payments.sandbox.oracle_desired import derive
from ghl_payments.sandbox.oracle_ghl import read_location
from ghl_payments.sandbox.world_halo import Halo
from ghl_payments_tests.sandbox.oracle_states import LOCATION, NOW, OLD, ago, location

Document = dict[str, Any]
HaloState = dict[str, list[Document]]

PLAIN_AMOUNTS = (100, 60, 40, 7, 500)
ODD_AMOUNTS = (
    *(Decimal(text) for text in ("0", "0.1", "0.10", "100.505", "-3", "-0.001", "1e3", "0.0001", "99999999.99")),
    "12.50", "1,234.50", "", None, True, 10**15,
)  # fmt: skip
CREATED = (OLD, "2026-02-03T23:30:00.000-05:00", "2026-02-03T23:30:00", "2026-01-31T23:59:59.999Z", "2026-02-05")
UPDATED = (ago(seconds=300), ago(seconds=299), ago(seconds=-5), None, "yesterday")
KEY_FIELDS = {
    "SalesOrder": ("po_number",), "Invoice": ("thirdpartyinvoicenumber",), "ExternalLink": ("third_party_id",),
    "InvoicePayment": ("intent_id", "thirdpartyid"),
}  # fmt: skip
TABLES = {"Client": 2, "Users": 4, "Invoice": 995, "SalesOrder": 996}
CURRENCIES = ({"USD": 11, "EUR": 18, "GBP": 4}, {"JPY": 32, "ISK": 22}, {"KWD": 8, "BHD": 15})
"""Codes and Halo ids, by exponent; a world keeps to one exponent, so that sums of duplicates have one meaning."""
CONTACTS = ("c1", "c2", "c3", "c4")


class World:
    """Documents drawn from one seed; `place` is a location of a state document, `halo` the Halo beside it."""

    def __init__(self, seed: int, purchases: int = 12) -> None:
        self._rng = Random(seed)
        self._count = purchases
        self._currencies = self._pick(CURRENCIES[0], *CURRENCIES)
        self.place = location(
            [self._order(n) for n in range(1, purchases + 1)],
            [self._transaction(n) for n in range(1, purchases + purchases // 3 + 1)],
            subscriptions=[self._subscription(n) for n in range(1, 4)],
            fulfillments=self._fulfillments(),
        )
        self.halo = self._agreed()
        for _ in range(purchases):
            self._disturb()

    @property
    def state(self) -> Document:
        """The state document."""
        return {"ghl": {"locations": [self.place]}, "halo": self.halo}

    def _pick(self, *values: Any) -> Any:
        return self._rng.choice(values)

    def _mostly(self, usual: Any, *odd: Any, chance: float = 0.12) -> Any:
        return self._pick(*odd) if self._rng.random() < chance else usual

    def _amount(self) -> Any:
        return self._mostly(self._pick(*PLAIN_AMOUNTS), *ODD_AMOUNTS)

    def _currency(self) -> Any:
        main, *others = self._currencies
        return self._mostly(self._mostly(main, *others, chance=0.3), "XXZ", None, "", main.lower(), chance=0.05)

    def _common(self) -> Document:
        """What orders and transactions have alike."""
        return {
            "contactId": self._mostly(self._pick(*CONTACTS), None, ""), "currency": self._currency(),
            "liveMode": self._mostly(True, False, None), "markAsTest": self._mostly(False, True),
            "createdAt": self._mostly(self._pick(*CREATED), "soon", None, chance=0.05),
            "updatedAt": self._mostly(OLD, *UPDATED),
        }  # fmt: skip

    def _order(self, number: int) -> Document:
        price = self._pick(0, 7, 60)
        return self._common() | {
            "_id": f"o{number}", "amount": self._amount(), "status": self._pick("completed", "pending"),
            "paymentStatus": self._pick("paid", "paid", "unpaid", "partially_paid", "refunded"),
            "items": [
                {"name": "Thing", "qty": self._pick(1, 2), "price": {"_id": f"p{line}", "amount": price}}
                for line in range(self._pick(0, 1, 1, 2))
            ],
            "amountSummary": {name: self._pick(0, 0, 2, None) for name in ("discount", "tax", "shipping")},
        }  # fmt: skip

    def _transaction(self, number: int) -> Document:
        own = self.orders_currency(number)
        merges = self._rng.random() < 0.1
        merged = {"mergedFromContactId": self._pick(*CONTACTS), "createdAt": self._pick(OLD, None)} if merges else {}
        return self._common() | own | merged | {
            "_id": f"t{number}", "status": self._mostly("succeeded", "refunded", "failed", "pending", chance=0.25),
            "amountRefunded": self._mostly(0, None, 7, 100, Decimal("20.25"), Decimal("0.001"), "x", chance=0.25),
            "entityType": self._mostly("order", "invoice", "page", None, chance=0.25),
            "entityId": self._mostly(f"o{self._rng.randint(1, self._count)}", "gone", None, "", "i1", chance=0.25),
            "subscriptionId": self._mostly(None, "s1", "s2", chance=0.3), "chargeId": self._pick(None, f"pi_{number}"),
        }  # fmt: skip

    def orders_currency(self, number: int) -> Document:
        """Most transactions pay an amount and currency that their own order could have."""
        return {"amount": self._amount(), "currency": self._currency()} if number % 2 else {"amount": self._amount()}

    def _subscription(self, number: int) -> Document:
        return {
            "_id": f"s{number}", "entityType": "order", "entityId": f"o{self._pick(1, 1, 2)}", "amount": 10,
            "currency": "USD", "status": self._pick("active", "canceled", "trialing"),
            "liveMode": self._mostly(True, False), "markAsTest": self._mostly(False, True), "createdAt": OLD,
            "updatedAt": OLD,
        }  # fmt: skip

    def _fulfillments(self) -> dict[str, list[Document]]:
        chosen = [f"o{n}" for n in range(1, self._count + 1) if self._rng.random() < 0.4]
        return {order_id: [self._parcel(n) for n in range(1, self._pick(1, 1, 2) + 1)] for order_id in chosen}

    def _parcel(self, number: int) -> Document:
        tracking = {"shippingCarrier": self._pick("UPS", "", None), "trackingNumber": self._pick("1Z 9", "", None)}
        return {
            "_id": f"f{number}", "createdAt": self._pick(OLD, "2026-02-02T00:00:00Z", "2026-01-31T12:00:00-10:00"),
            "trackings": self._pick([], [tracking], [tracking, {"trackingNumber": "2"}]),
            "items": [{"price": {"_id": f"p{n}"}, "qty": self._pick(0, 1, 2)} for n in range(self._pick(0, 1, 2))],
        }  # fmt: skip

    def _agreed(self) -> HaloState:
        halo = Halo(Random(1), int(NOW.timestamp() * 1000))
        people = {
            contact: (f"Contact 000{contact[1:]}", f"contact000{contact[1:]}@example.com") for contact in CONTACTS
        }
        halo.agree(LOCATION, derive(read_location(self.place)), people)
        return halo.state

    def _key(self) -> str | None:
        number = self._rng.randint(1, self._count + 2)
        return self._pick(
            f"ghl:order:o{number}", f"ghl:order:o{number}", f"ghl:txn:t{number}", f"ghl:txn:t{number}",
            "ghl:order:gone", "ghl:contact:c2", "ghl:contact:c9", "ghl:invoice:i1", f"ghl:invoice:o{number}", "PO-1", None,
        )  # fmt: skip

    def _disturb(self) -> None:
        acts: tuple[Callable[[str, Document], None], ...] = (
            self._remove, self._remove_with_links, self._copy, self._revalue, self._rekey, self._redate, self._reown,
            self._recurrency, self._rewrite, self._reship, self._plant, self._plant,
        )  # fmt: skip
        names = (
            "Client",
            "Users",
            "SalesOrder",
            "SalesOrder",
            "Invoice",
            "Invoice",
            "InvoicePayment",
            "InvoicePayment",
        )
        name = self._pick(*names, "ExternalLink")
        ours = [doc for doc in self.halo[name] if doc["id"] > 500]
        if ours:
            self._pick(*acts)(name, self._rng.choice(ours))

    def _remove(self, name: str, doc: Document) -> None:
        self.halo[name].remove(doc)

    def _remove_with_links(self, name: str, doc: Document) -> None:
        self.halo[name].remove(doc)
        links = self.halo["ExternalLink"]
        links[:] = [link for link in links if link["halo_id"] != doc["id"]]

    def _copy(self, name: str, doc: Document) -> None:
        self.halo[name].append(copy.deepcopy(doc) | {"id": self._free_id(name)})

    def _free_id(self, name: str) -> int:
        return 70_000 + int(max(doc["id"] for doc in self.halo[name]))

    def _revalue(self, name: str, doc: Document) -> None:
        if name in ("SalesOrder", "Invoice", "InvoicePayment"):
            value = self._mostly(self._pick(*PLAIN_AMOUNTS), "n/a", None, Decimal("100.004"), "100", chance=0.3)
            doc["amount" if name == "InvoicePayment" else "total"] = value

    def _rekey(self, name: str, doc: Document) -> None:
        """Another key on a record and on its cross-references."""
        key = self._key()
        fields = KEY_FIELDS.get(name, ()) if name != "ExternalLink" else ()
        for field in fields:
            doc[field] = key
        for link in self.halo["ExternalLink"]:
            if name in TABLES and (link["table_id"], link["halo_id"]) == (TABLES[name], doc["id"]):
                link["third_party_id"] = key

    def _redate(self, name: str, doc: Document) -> None:
        for field in ("date", "invoice_date", "ship_date"):
            if field in doc:
                doc[field] = self._pick(*CREATED, "soon", None)

    def _reown(self, name: str, doc: Document) -> None:
        if "client_id" in doc:
            doc["client_id"] = self._pick(doc["client_id"] + 1, 1, 999_999)

    def _recurrency(self, name: str, doc: Document) -> None:
        if "currency_code" in doc:
            doc["currency_code"] = self._pick(11, 18, 32, 999)

    def _rewrite(self, name: str, doc: Document) -> None:
        if doc.get("customfields"):
            self._rng.choice(doc["customfields"])["value"] = self._pick("", None, "other")

    def _reship(self, name: str, doc: Document) -> None:
        if name == "SalesOrder":
            doc["ship_status"] = self._pick("fulfilled", "partly fulfilled", "", None)

    def _plant(self, name: str, doc: Document) -> None:
        """A record that nobody asked for, under some key."""
        if name not in KEY_FIELDS:
            return
        planted: Document = {"id": self._free_id(name)}
        if name == "ExternalLink":
            planted |= {"table_id": self._pick(2, 4, 995, 996, 7), "halo_id": 90_000 + planted["id"],
                        "third_party_secondary_id": self._pick(LOCATION, LOCATION, None, "Elsewhere")}  # fmt: skip
        else:
            planted |= {
                "date": OLD,
                "invoice_date": OLD,
                "currency_code": self._pick(*self._currencies.values()),
                "client_id": 1,
                "total": self._pick(*PLAIN_AMOUNTS),
                "amount": self._pick(*PLAIN_AMOUNTS),
            }
        key = self._key()
        self.halo[name].append(planted | dict.fromkeys(KEY_FIELDS[name], key))
