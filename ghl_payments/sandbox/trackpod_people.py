"""The hands of Track-POD's people in the sandbox: dispatchers and drivers by control hook, and Complete and Reject.

Add a hook here; what it does to an order belongs to `trackpod_work`. `POST /_sandbox/trackpod/ACTION` takes
`{"id" | "number" | "track_id": ..., ...}` and answers the order afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from ghl_payments.sandbox.clock import SandboxClock
from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.journal import History
from ghl_payments.sandbox.trackpod_data import (
    ACCOUNT_ZONE,
    CHANGED,
    TrackpodData,
    day_of,
    local,
    shown,
)
from ghl_payments.sandbox.trackpod_orders import stamp_of
from ghl_payments.sandbox.trackpod_switches import TrackpodSwitches
from ghl_payments.sandbox.trackpod_work import (
    begun,
    cash_text,
    delivered,
    is_processed,
    is_routed,
    rejected,
    rescheduled,
    routed,
)


class People:
    """Acts on single orders; every act is a change that reset takes back, and none is an effect of a client."""

    def __init__(
        self,
        data: TrackpodData,
        history: History,
        clock: SandboxClock,
        switches: TrackpodSwitches,
        announce: Callable[[str, Doc], None],
    ) -> None:
        self._data = data
        self._history = history
        self._clock = clock
        self._switches = switches
        self._announce = announce

    def act(self, action: str, body: Doc) -> Doc:
        """Do one act by name; ValueError says what is wrong with it, or which acts there are."""
        acts: dict[str, Callable[[Doc, Doc], Doc]] = {
            "route": self._route,
            "start": lambda doc, body: self._put(begun(self._on_route(doc), self._at(body))),
            "deliver": self._deliver,
            "partial": self._deliver,
            "reject": lambda doc, body: self._put(rejected(self._on_route(doc), self._at(body), body.get("reason", 3))),
            "reschedule": self._reschedule,
            "collect": lambda doc, body: self._put(doc | {"CODActual": cash_text(str(body["amount"]))}),
            "edit": lambda doc, body: self._put(doc | body["set"], status=False),
            "remove": self._remove,
        }
        if action not in acts:
            msg = f"no act {action!r}; there are: {', '.join(acts)}"
            raise ValueError(msg)
        return shown(acts[action](self._meant(body), body))

    def complete(self, doc: Doc, body: Doc) -> Doc:
        """Track-POD's own Complete: by line where lines are given, else everything."""
        self._check_open(doc)
        lines = body.get("GoodsList") or []
        facts: dict[int, Any] = {}
        for place, line in enumerate(doc["GoodsList"]):
            for given in lines:
                names = [name for name in ("OrderLineId", "GoodsId", "GoodsName") if given.get(name)]
                if names and all(given[name] == line[name] for name in names):
                    facts[place] = given.get("QuantityFact", line["Quantity"])
        done = delivered(doc, self._at({"at": body.get("StatusDate")}), cash=body.get("CODActual"), facts=facts)
        return self._put(done | {name: body.get(name) for name in ("DriverComment", "SignatureName")})

    def turned_back(self, doc: Doc, body: Doc) -> Doc:
        """Track-POD's own Reject."""
        self._check_open(doc)
        done = rejected(doc, self._at({"at": body.get("StatusDate")}), body.get("RejectReasonId") or 3)
        return self._put(done | {name: body.get(name) for name in ("DriverComment", "SignatureName")})

    def _check_open(self, doc: Doc) -> None:
        if not is_routed(doc):
            msg = "The order must be scheduled for delivery"
            raise ValueError(msg)
        if is_processed(doc):
            msg = "The order already has delivery status"
            raise ValueError(msg)

    def _route(self, doc: Doc, body: Doc) -> Doc:
        day = body.get("date") or day_of(local(self._clock.now))
        return self._put(routed(doc, day, body.get("number", "")), status=False)

    def _on_route(self, doc: Doc) -> Doc:
        return doc if is_routed(doc) else routed(doc, day_of(local(self._clock.now)))

    def _deliver(self, doc: Doc, body: Doc) -> Doc:
        """Hand over; `quantities` by GoodsId for what was less, `cash` for what was paid."""
        wanted = dict(body.get("quantities") or {})
        facts = {
            place: wanted[line["GoodsId"]] for place, line in enumerate(doc["GoodsList"]) if line["GoodsId"] in wanted
        }
        cash = body.get("cash")
        amount = None if cash is None else Decimal(str(cash))
        return self._put(delivered(self._on_route(doc), self._at(body), cash=amount, facts=facts))

    def _reschedule(self, doc: Doc, body: Doc) -> Doc:
        unscheduled = 0 if self._switches.trackpod_unscheduled_status == "zero" else None
        return self._put(rescheduled(doc, self._clock.now, unscheduled))

    def _remove(self, doc: Doc, body: Doc) -> Doc:
        gone = self._data.remove(self._history, doc, body.get("by", "dispatcher"), self._stamp())
        self._announce("OrderDeleted", gone)
        return doc

    def _meant(self, body: Doc) -> Doc:
        names = {"id": "Id", "number": "Number"}
        docs = [doc for name, field in names.items() if name in body for doc in self._data.orders.of(field, body[name])]
        if "track_id" in body and (doc := self._data.orders.get(body["track_id"])):
            docs.append(doc)
        if not docs:
            msg = "no such order; name it by id, number or track_id"
            raise ValueError(msg)
        return docs[0]

    def _put(self, doc: Doc, *, status: bool = True) -> Doc:
        stamp = self._stamp()
        new = doc | {"ChangeDate": stamp} | ({CHANGED: f"{stamp}Z"} if status else {})
        self._history.write(self._data.orders, doc["TrackId"], new)
        # What a change of status is called is not published.
        self._announce("OrderUpdated", new)
        return new

    def _stamp(self) -> str:
        return stamp_of(self._clock.stamp())

    def _at(self, body: Doc) -> datetime:
        """When it happened: the account's own time as people write it, else now."""
        text = body.get("at")
        if not text:
            return self._clock.now
        at = datetime.fromisoformat(str(text))
        return at if at.tzinfo else at.replace(tzinfo=ACCOUNT_ZONE)
