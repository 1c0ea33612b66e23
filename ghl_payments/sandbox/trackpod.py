"""The HTTP face of the sandboxed Track-POD account: one key in a header, bare arrays, two rate windows, writes.

Add an endpoint here; what writes do belongs to `trackpod_orders` and `trackpod_work`. Routes, drivers, vehicles,
addresses, labels and XML are not served.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any

from ghl_payments.sandbox.codec import Doc
from ghl_payments.sandbox.journal import History
from ghl_payments.sandbox.limits import SlidingWindow
from ghl_payments.sandbox.trackpod_data import (
    CHANGED,
    SEQUENCE,
    TrackpodData,
    day_of,
    key_of,
    load_trackpod,
    made_id,
    shown,
    told_of,
)
from ghl_payments.sandbox.trackpod_orders import MAX_BULK, OrderDesk, refused, said, stamp_of
from ghl_payments.sandbox.trackpod_people import People
from ghl_payments.sandbox.trackpod_routes import (
    Route,
    admission,
    body_of,
    find_route,
    moment_of,
    not_here,
    object_of,
)
from ghl_payments.sandbox.trackpod_switches import TrackpodSwitches
from ghl_payments.sandbox.trackpod_work import IN_PROGRESS, REASONS, is_processed
from ghl_payments.sandbox.vendor import EffectSink, Setting
from ghl_payments.sandbox.webhooks import WebhookSender
from ghl_payments.sandbox.wire import Admission, Answer, Refused, Request, bare_answer, header_list, json_answer

NEWEST = 25
"""So many orders of one number are listed."""

OLDEST_CURSOR = timedelta(days=1)


class TrackpodSandbox:
    """Answers below `/trackpod` as the vendor's host does; paths are case-insensitive."""

    name = "trackpod"

    def __init__(self, setting: Setting, api_key: str) -> None:
        self.data = TrackpodData()
        self._setting = setting
        self._api_key = api_key
        self._switches: TrackpodSwitches = setting.switches
        self._window = SlidingWindow(setting.rate)
        self._history = History()
        self._effect: EffectSink | None = None
        self._sender: WebhookSender | None = None

    def announce_to(self, sender: WebhookSender) -> None:
        """Tell what happens to orders to whoever subscribed; nothing proves such a message."""
        self._sender = sender

    def load(self, part: Doc) -> TrackpodData:
        """This system's part of a state; its documents are used up."""
        return load_trackpod(part, self._setting.clock.now)

    def use(self, data: TrackpodData, history: History, effect: EffectSink) -> None:
        """Serve another world; requests counted before are forgotten."""
        self.data = data
        self._history = history
        self._effect = effect
        self._window = SlidingWindow(self._setting.rate)

    def dump(self) -> bytes:
        """This system's part of the state, encoded."""
        return self.data.dump()

    def rewind(self, data: TrackpodData) -> None:
        """New orders get the same ids again."""
        data.rewind()

    def expire_tokens(self) -> None:
        """The key is fixed: only a person replaces it."""

    def admit(self, request: Request) -> Admission:
        """Count a request on arrival; every answer tells what is left of the minute."""
        return admission(self._window, self._setting.rate)

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        try:
            if request.headers.get("x-api-key") != self._api_key:
                raise refused(401, "Unauthorized", "X-API-KEY is missing or unknown")
            route = find_route(request)
            self._check_key(request)
            answer: Answer = getattr(self, f"_{route.name}")(request, route)
        except Refused as refusal:
            return refusal.answer
        return answer

    def control(self, action: str, body: Doc) -> Any:
        """What people do, by hand: see `People`; KeyError names an action that nobody can do."""
        return self._people().act(action, body)

    def _people(self) -> People:
        return People(self.data, self._history, self._setting.clock, self._switches, self._announce)

    def _announce(self, event: str, doc: Doc) -> None:
        if self._sender is not None:
            body = told_of(event, doc)
            self._sender.send(self.name, event, f"sha256:{sha256(body).hexdigest()}", body)

    def _check_key(self, request: Request) -> None:
        allowed = self._switches.trackpod_key_methods
        if allowed and request.method not in allowed:
            raise refused(self._switches.trackpod_key_refusal, "Not allowed", "This key may not use the method")

    def _test(self, request: Request, route: Route) -> Answer:
        if "json" in request.headers.get("accept", ""):
            return json_answer(200, "ok")
        return Answer(200, b"ok", b"text/plain; charset=utf-8")

    def _reasons(self, request: Request, route: Route) -> Answer:
        lists = {name: [{"Id": n, "Name": text} for n, text in rows.items()] for name, rows in REASONS.items()}
        return json_answer(200, lists)

    def _create(self, request: Request, route: Route) -> Answer:
        body = object_of(request)
        doc = self._add(request, body)
        answer = said(201, "Created", "Order was created")
        if doc["Id"]:
            answer.headers += header_list([("Location", f"{request.origin}/trackpod/Order/Id/{doc['Id']}")])
        return answer

    def _add(self, request: Request, body: Any) -> Doc:
        sequence = self.data.next_sequence()
        stamp = stamp_of(self._setting.clock.stamp())
        doc = self._desk().made(body, made_id(self._setting.identity.seed, sequence), stamp)
        doc |= {SEQUENCE: sequence, CHANGED: None}
        self._history.write(self.data.orders, doc["TrackId"], doc)
        self._report(request, doc, body)
        self._announce("OrderCreated", doc)
        return doc

    def _bulk(self, request: Request, route: Route) -> Answer:
        rows = body_of(request)
        if not isinstance(rows, list) or not rows or len(rows) > MAX_BULK:
            raise refused(400, "Bad Request", f"1 to {MAX_BULK} orders are taken")
        results = []
        for row in rows:
            known = row if isinstance(row, dict) else {}
            problem = self._desk().problem(row)
            if problem is None:
                self._add(request, row)
            results.append({"Number": known.get("Number"), "Id": known.get("Id"), "Error": problem})
        every_one = all(result["Error"] is None for result in results)
        if every_one and self._switches.trackpod_bulk_status == 201:
            return bare_answer(201)
        return json_answer(200, results)

    def _update(self, request: Request, route: Route) -> Answer:
        body = object_of(request)
        doc = self._named(body)
        forced = request.query.get("forceUpdate", "").casefold() == "true"
        return self._change(request, doc, body, forced=forced)

    def _update_one(self, request: Request, route: Route) -> Answer:
        return self._change(request, self._found(route), object_of(request), forced=False)

    def _change(self, request: Request, doc: Doc, body: Doc, *, forced: bool) -> Answer:
        begun = doc["StatusId"] == IN_PROGRESS and self._switches.trackpod_in_progress == "processed"
        if (is_processed(doc) or begun) and not forced:
            raise refused(405, "Method Not Allowed", "The order has been processed on the mobile application")
        new = self._desk().changed(doc, body) | {"ChangeDate": stamp_of(self._setting.clock.stamp())}
        self._history.write(self.data.orders, doc["TrackId"], new)
        self._report(request, new, body)
        self._announce("OrderUpdated", new)
        return said(202, "Accepted", "Order was updated")

    def _read(self, request: Request, route: Route) -> Answer:
        return json_answer(200, shown(self._found(route)))

    def _delete(self, request: Request, route: Route) -> Answer:
        doc = self._found(route, gone=404)
        if doc["StatusId"]:
            raise refused(400, "Bad Request", "Order already has delivery status")
        stamp = stamp_of(self._setting.clock.stamp())
        gone = self.data.remove(self._history, doc, "Web API", stamp)
        self._report(request, doc, None)
        self._announce("OrderDeleted", gone)
        return said(200, "OK", "Order was deleted")

    def _complete(self, request: Request, route: Route) -> Answer:
        doc, body = self._found(route, gone=404), object_of(request)
        self._work(request, doc, body, "complete")
        return bare_answer(200)

    def _reject(self, request: Request, route: Route) -> Answer:
        doc, body = self._found(route, gone=404), object_of(request)
        self._work(request, doc, body, "turned_back")
        return bare_answer(200)

    def _work(self, request: Request, doc: Doc, body: Doc, act: str) -> None:
        people = self._people()
        try:
            new = people.complete(doc, body) if act == "complete" else people.turned_back(doc, body)
        except ValueError as error:
            raise refused(400, "Bad Request", str(error)) from None
        self._report(request, new, body)

    def _of_number(self, request: Request, route: Route) -> Answer:
        docs = self._visible(self.data.orders.of("Number", route.key))
        if not docs and (gone := self.data.removed.newest("Number", route.key)):
            raise _removed(gone)
        return self._listed(request, docs[:NEWEST])

    def _of_day(self, request: Request, route: Route) -> Answer:
        day = f"{moment_of(route.key):%Y-%m-%d}"
        return self._listed(request, [doc for doc in self.data.in_order() if day_of(doc["Date"]) == day])

    def _of_route_day(self, request: Request, route: Route) -> Answer:
        day = f"{moment_of(route.key):%Y-%m-%d}"
        return self._listed(request, [doc for doc in self.data.in_order() if day_of(doc["RouteDate"]) == day])

    def _of_route(self, request: Request, route: Route) -> Answer:
        return self._listed(request, [doc for doc in self.data.in_order() if doc["RouteNumber"] == route.key])

    def _since(self, request: Request, route: Route) -> Answer:
        since, oldest = moment_of(route.key), self._setting.clock.now - OLDEST_CURSOR
        if since < oldest:
            if self._switches.trackpod_old_cursor == "refused":
                raise refused(400, "Bad Request", "The time may be no older than a day (UTC)")
            since = oldest
        changed = [doc for doc in self.data.in_order() if doc[CHANGED] and moment_of(doc[CHANGED]) >= since]
        return self._listed(request, changed)

    def _listed(self, request: Request, docs: Iterable[Doc]) -> Answer:
        return json_answer(200, [] if request.empty_lists else [shown(doc) for doc in self._visible(docs)])

    def _visible(self, docs: Iterable[Doc]) -> list[Doc]:
        only = self._switches.trackpod_key_shipper
        return [doc for doc in docs if not only or doc["ShipperId"] == only]

    def _found(self, route: Route, gone: int = 410) -> Doc:
        """The most recent order of this key; 404, or 410 where one was removed and the call says so."""
        if route.kind == "TrackId":
            one = self.data.orders.get(route.key.lower())
            docs = self._visible([one] if one else [])
        else:
            docs = self._visible(self.data.orders.of(route.kind, route.key))
        if docs:
            return docs[0]
        removed = self.data.removed.newest(route.kind, route.key) if gone == 410 else None
        raise _removed(removed) if removed else not_here("Order not found")

    def _named(self, body: Mapping[str, Any]) -> Doc:
        """The order that an update means by its Id, else by its Number."""
        keys = [(kind, str(body[kind])) for kind in ("Id", "Number") if body.get(kind)]
        for kind, key in keys:
            if docs := self._visible(self.data.orders.of(kind, key)):
                return docs[0]
        removed = next((doc for kind, key in keys if (doc := self.data.removed.newest(kind, key))), None)
        raise _removed(removed) if removed else not_here("Order not found")

    def _desk(self) -> OrderDesk:
        return OrderDesk(self._switches, self._setting.clock.now)

    def _report(self, request: Request, doc: Doc, body: Any) -> None:
        if self._effect is not None:
            self._effect(request, "order", key_of(doc), doc["TrackId"], body)


def _removed(doc: Doc) -> Refused:
    body = {"Order": doc, "Status": 410, "Title": "Gone", "Detail": "Order was permanently removed"}
    return Refused(json_answer(410, body))
