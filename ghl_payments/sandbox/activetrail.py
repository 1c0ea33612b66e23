"""The HTTP face of the sandboxed ActiveTrail account: a bare token, lists in windows and pages, writes.

Add an endpoint here; what writes do belongs to `activetrail_contacts` and `activetrail_orders`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ghl_payments.sandbox.activetrail_contacts import ContactDesk, refused
from ghl_payments.sandbox.activetrail_data import (
    ActiveTrailData,
    load_activetrail,
    shown_contact,
    shown_order,
)
from ghl_payments.sandbox.activetrail_lists import ActiveTrailSwitches, Lists, parameters
from ghl_payments.sandbox.activetrail_orders import OrderBook
from ghl_payments.sandbox.codec import Doc, decode
from ghl_payments.sandbox.journal import History
from ghl_payments.sandbox.limits import SlidingWindow
from ghl_payments.sandbox.vendor import EffectSink, Setting
from ghl_payments.sandbox.wire import Admission, Answer, Refused, Request, bare_answer, json_answer


class ActiveTrailSandbox:
    """Answers below `/activetrail` as the vendor's host does; paths and query names are case-insensitive."""

    name = "activetrail"

    def __init__(self, setting: Setting, token: str) -> None:
        self.data = ActiveTrailData()
        self._setting = setting
        self._token = token
        self._switches: ActiveTrailSwitches = setting.switches
        self._window = SlidingWindow(setting.rate)
        self._history = History()
        self._effect: EffectSink | None = None

    def load(self, part: Doc) -> ActiveTrailData:
        """This system's part of a state; its documents are used up."""
        return load_activetrail(part, self._setting.clock.text())

    def use(self, data: ActiveTrailData, history: History, effect: EffectSink) -> None:
        """Serve another world; requests counted before are forgotten."""
        self.data = data
        self._history = history
        self._effect = effect
        self._window = SlidingWindow(self._setting.rate)

    def dump(self) -> bytes:
        """This system's part of the state, encoded."""
        return self.data.dump()

    def rewind(self, data: ActiveTrailData) -> None:
        """Ids begin again where they did when the data was loaded."""
        data.rewind()

    def expire_tokens(self) -> None:
        """The token is fixed: only a person replaces it."""

    def admit(self, request: Request) -> Admission:
        """Count a request on arrival; the 429 says no more than that."""
        if self._window.admit():
            return Admission([])
        return Admission([], json_answer(429, {"Message": "Too many requests"}))

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        try:
            # A scheme before the token makes it another token.
            if request.headers.get("authorization", "") != self._token:
                raise refused(401, "APIKeyMissing")
            parts = request.path.strip("/").split("/")
            if parts[0].casefold() != "api":
                raise _no_route()
            area = parts[1].casefold() if len(parts) > 1 else ""
            return self._areas().get(area, _nowhere)(request, parts[2:])
        except Refused as refusal:
            return refusal.answer

    def _areas(self) -> dict[str, Callable[[Request, list[str]], Answer]]:
        return {
            "account": self._account, "contacts": self._contacts, "groups": self._groups, "external": self._external,
            "commerce": self._commerce,
        }  # fmt: skip

    def _account(self, request: Request, rest: list[str]) -> Answer:
        match request.method, [part.casefold() for part in rest]:
            case "GET", ["balance"]:
                credits_left = {"credits": 1000, "percent": 100, "alert_type": "None"}
                return json_answer(200, {"email": credits_left, "sms": credits_left})
            case "GET", ["contactfields"] if self._switches.activetrail_labels == "told":
                return json_answer(200, self.data.labels)
        raise _no_route()

    def _contacts(self, request: Request, rest: list[str]) -> Answer:
        match request.method, rest:
            case "GET", []:
                return json_answer(
                    200, self._lists().page(request, self._lists().found(request, self.data.all_contacts()))[0]
                )
            case "GET", [contact_id]:
                return json_answer(200, shown_contact(self._contact(contact_id)))
            case "PUT", [contact_id]:
                contact = self._contact(contact_id)
                replace = self._switches.activetrail_contact_put == "replace"
                body = _object(request)
                changed = self._desk().change(contact, body, replace=replace)
                if shown_contact(changed) != shown_contact(contact):
                    self._report(request, "contact", changed, body)
                return self._written(shown_contact(changed))
            case "DELETE", [contact_id]:
                contact = self._contact(contact_id)
                self._history.write(self.data.contacts, contact["id"], None)
                self._report(request, "contact", contact, None)
                return bare_answer(204)
        raise refused(405, "MethodNotAllowed")

    def _groups(self, request: Request, rest: list[str]) -> Answer:
        match request.method, rest:
            case "GET", []:
                text = parameters(request).get("searchterm", "").casefold()
                groups = sorted(self.data.groups.values(), key=lambda doc: int(doc["id"]))
                shown = [self._shown_group(doc) for doc in groups if text in str(doc["name"]).casefold()]
                return json_answer(200, self._lists().page(request, shown)[0])
            case "POST", []:
                return self._new_group(request)
            case "GET", [group_id]:
                return json_answer(200, self._shown_group(self._group(group_id)))
            case "GET", [group_id, "members"]:
                members = self.data.members_of(self._group(group_id)["id"])
                rows, count = self._lists().page(request, self._lists().in_window(request, members))
                counted = {"count": count} if self._switches.activetrail_counts else {}
                return json_answer(200, {**counted, "contacts": rows})
            case "POST", [group_id, "members"]:
                return self._new_member(request, self._group(group_id))
        raise refused(405, "MethodNotAllowed")

    def _external(self, request: Request, rest: list[str]) -> Answer:
        level = self._switches.activetrail_external
        if level == "none":
            raise _no_route()
        match request.method, rest:
            case "GET", ["unmapped"]:
                free = [doc for doc in self.data.all_contacts() if doc["id"] not in self.data.pairs]
                return json_answer(200, self._lists().page(request, self._lists().in_window(request, free))[0])
            case "POST", ["mapping"]:
                return self._map(_object(request))
            case "GET", ["contact", external_id] if level == "find":
                wanted = (external_id, parameters(request).get("externalname", ""))
                found = next((key for key in self.data.pairs if self.data.pairs.get(key) == wanted), None)
                contact = self.data.contacts.get(found)
                return bare_answer(200) if contact is None else json_answer(200, shown_contact(contact))
        raise _no_route()

    def _commerce(self, request: Request, rest: list[str]) -> Answer:
        if self._switches.activetrail_commerce != "available":
            raise _no_route() if self._switches.activetrail_commerce == "missing" else refused(403, "Forbidden")
        match request.method, [rest[0].casefold() if rest else "", *rest[1:]]:
            case "GET", ["schema"]:
                return json_answer(200, [{"field_name": f"ext{n}", "field_display_name": ""} for n in range(1, 11)])
            case "GET", ["order", order_id]:
                doc = self.data.orders.get(order_id)
                if doc is not None:
                    return json_answer(200, shown_order(doc))
                if self._switches.activetrail_unknown_order == "empty":
                    return bare_answer(200)
                raise refused(404, "ResourceNotFound")
            case "POST", ["order"]:
                return self._post_orders(request)
            case "PUT", ["order", order_id]:
                body = _object(request)
                doc = OrderBook(self.data, self._history).put(order_id, body)
                self._report(request, "commerce_order", doc, body)
                return self._written(shown_order(doc))
        raise refused(405, "MethodNotAllowed")

    def _post_orders(self, request: Request) -> Answer:
        elements = _body(request)
        if not isinstance(elements, list) or not elements:
            raise refused(400, "InvalidResource: an array of orders is required")
        overwrite = self._switches.activetrail_duplicate_order == "overwrite"
        docs = OrderBook(self.data, self._history).post(elements, overwrite=overwrite)
        for doc, element in zip(docs, elements, strict=True):
            self._report(request, "commerce_order", doc, element)
        return self._written([shown_order(doc) for doc in docs])

    def _new_group(self, request: Request) -> Answer:
        body = _object(request)
        if not isinstance(body.get("name"), str) or not body["name"]:
            raise refused(400, "InvalidResource: name is required")
        group = {"id": self.data.next_id("groups"), "name": body["name"], "created": self._setting.clock.text()}
        self._history.write(self.data.groups, group["id"], group)
        return json_answer(200, self._shown_group(group))

    def _new_member(self, request: Request, group: Doc) -> Answer:
        body = _object(request)
        contact = self._desk().upsert(body)
        self._history.write(self.data.members, (group["id"], contact["id"]), True)
        self._report(request, "contact", contact, body)
        empty = self._switches.activetrail_member_answer == "empty"
        return bare_answer(200) if empty else json_answer(200, shown_contact(contact))

    def _map(self, body: Doc) -> Answer:
        contact = self.data.contacts.get(body.get("customerId"))
        pair = (body.get("externalId"), body.get("externalName"))
        if contact is None:
            raise refused(404, "ResourceNotFound")
        if contact["id"] in self.data.pairs or any(self.data.pairs.get(key) == pair for key in self.data.pairs):
            raise refused(400, "InvalidResource: the contact or the external id is mapped already")
        self._history.write(self.data.pairs, contact["id"], pair)
        return bare_answer(200)

    def _contact(self, text: str) -> Doc:
        doc: Doc | None = self.data.contacts.get(int(text)) if text.isdigit() else None
        if doc is None:
            raise refused(404, "ResourceNotFound")
        return doc

    def _group(self, text: str) -> Doc:
        doc: Doc | None = self.data.groups.get(int(text)) if text.isdigit() else None
        if doc is None:
            raise refused(404, "ResourceNotFound")
        return doc

    def _shown_group(self, group: Doc) -> Doc:
        size = sum(key[0] == group["id"] for key in self.data.members)
        return {**group, "active_counter": size, "counter": size, "last_generated": group["created"]}

    def _lists(self) -> Lists:
        return Lists(self._switches, self._setting.clock.now)

    def _desk(self) -> ContactDesk:
        return ContactDesk(self.data, self._history, self._setting.clock.text())

    def _written(self, value: Any) -> Answer:
        match self._switches.activetrail_write_answer:
            case "document":
                return json_answer(200, value)
            case "empty":
                return bare_answer(200)
        return bare_answer(204)

    def _report(self, request: Request, record_type: str, doc: Doc, body: Any) -> None:
        if self._effect is not None:
            native_id = str(doc.get("orderId") or doc.get("id"))
            self._effect(request, record_type, key_of(record_type, doc), native_id, body)


def key_of(record_type: str, doc: Doc) -> str | None:
    """The `ghl:` key that a record carries."""
    if record_type == "commerce_order":
        return f"ghl:order:{doc['orderId']}" if doc.get("ext9") else None
    texts = (doc.get(f"ext{n}") for n in range(1, 26))
    return next((text for text in texts if isinstance(text, str) and text.startswith("ghl:contact:")), None)


def _no_route() -> Refused:
    return refused(404, "No HTTP resource was found that matches the request URI.")


def _nowhere(request: Request, rest: list[str]) -> Answer:
    raise _no_route()


def _body(request: Request) -> Any:
    try:
        return decode(request.body)
    except msgspec.DecodeError:
        raise refused(400, "JSONParseError") from None


def _object(request: Request) -> Doc:
    value = _body(request)
    if not isinstance(value, dict):
        raise refused(400, "JSONParseError")
    return value
