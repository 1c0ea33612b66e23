"""The HTTP face of the sandboxed Act! database: sign-in, bare arrays with OData options, entities, metadata.

Add an endpoint here; properties belong to `act_schema`, what writes do to `act_write`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import msgspec

from ghl_payments.sandbox import act_dynamic
from ghl_payments.sandbox.act_auth import ActAuth, ActLogin, failure
from ghl_payments.sandbox.act_data import ActData, ActTable, View, entities_shown, load_act
from ghl_payments.sandbox.act_odata import BadQuery
from ghl_payments.sandbox.act_schema import COLLECTIONS, TYPES
from ghl_payments.sandbox.act_switches import ActSwitches
from ghl_payments.sandbox.act_write import ActWriter
from ghl_payments.sandbox.codec import Doc, decode
from ghl_payments.sandbox.journal import History
from ghl_payments.sandbox.limits import SlidingWindow
from ghl_payments.sandbox.vendor import EffectSink, Setting
from ghl_payments.sandbox.wire import Admission, Answer, Refused, Request, bare_answer, header_list, json_answer

_KEY = re.compile(r"ghl:[a-z]+:.+")
_TYPES = {"contacts": "contact", "opportunities": "opportunity", "products": "product", "history": "history"}
_KINDS = {"order": "opportunity", "sub": "subscription", "txn": "payment"}


class ActSandbox:
    """Answers below `/act` as an Act! server does, with or without `/act.web.api` before the path."""

    name = "act"

    def __init__(self, setting: Setting, login: ActLogin) -> None:
        self.data = ActData()
        self._setting = setting
        self._switches: ActSwitches = setting.switches
        self._auth = ActAuth(login, self._switches)
        self._window = SlidingWindow(setting.rate)
        self._history = History()
        self._effect: EffectSink | None = None

    def load(self, part: Doc) -> ActData:
        """This system's part of a state; its documents are used up."""
        return load_act(part, self._setting.clock.text())

    def use(self, data: ActData, history: History, effect: EffectSink) -> None:
        """Serve another world; requests counted before are forgotten, tokens stay good."""
        self.data = data
        self._history = history
        self._effect = effect
        self._window = SlidingWindow(self._setting.rate)

    def dump(self) -> bytes:
        """This system's part of the state, encoded."""
        return self.data.dump()

    def rewind(self, data: ActData) -> None:
        """Ids begin again where they did when the data was loaded."""
        data.made = 0

    def expire_tokens(self) -> None:
        """Every issued token dies now."""
        self._auth.expire()

    def admit(self, request: Request) -> Admission:
        """Count a request on arrival; every answer announces the limit of a minute."""
        admitted = self._window.admit()
        reset = int(time.time()) + 60
        headers = header_list([
            ("X-RateLimit-Limit", self._setting.rate.requests),
            ("X-RateLimit-Remaining", self._window.left()),
            ("X-RateLimit-Reset", reset),
        ])  # fmt: skip
        return Admission(headers, None if admitted else json_answer(429, {"message": "Too many requests"}))

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        parts = [part for part in request.path.split("/") if part]
        if parts and parts[0].casefold() == "act.web.api":
            parts = parts[1:]
        try:
            match [part.casefold() for part in parts]:
                case ["authorize"] if request.method == "GET":
                    return self._auth.authorize(request)
                case ["api", "system"]:
                    return json_answer(200, {"apiVersion": "1.1.1324.1", "sdkVersion": "25.101.0.0"})
                case ["api", area, *_]:
                    self._auth.check(request)
                    return self._areas().get(area, _nowhere)(request, parts[2:])
        except Refused as refusal:
            return refusal.answer
        except BadQuery as bad:
            kind = "Microsoft.Data.OData.ODataException"
            return failure(self._switches.act_odata_error, f"The query is not valid. {bad}", kind).answer
        return bare_answer(404)

    def _areas(self) -> dict[str, Callable[[Request, list[str]], Answer]]:
        return {
            "contacts": self._collection, "opportunities": self._collection, "history": self._collection,
            "custom": self._custom, "metadata": self._metadata, "dynamic-list": self._dynamic,
            "multilanguage": self._language,
        }  # fmt: skip

    @property
    def _view(self) -> View:
        return View(self.data, self._switches)

    @property
    def _writer(self) -> ActWriter:
        return ActWriter(self.data, self._history, self._setting.clock, self._switches)

    def _collection(self, request: Request, rest: list[str]) -> Answer:
        name = next(part for part in request.path.casefold().split("/") if part in COLLECTIONS)
        if name == "opportunities" and len(rest) >= 2 and rest[1].casefold() == "products":
            return self._products(request, rest[0], rest[2:])
        collection, table = COLLECTIONS[name], self.data.tables[name]
        match request.method, rest:
            case "GET", []:
                return self._list(request, table, name, collection.record_type)
            case "GET", [record_id]:
                return self._entity(200, name, self._writer.found(table, record_id))
            case "POST", []:
                doc = self._writer.create(name, _object(request))
                return self._written(request, 201, name, doc)
            case (("PUT" | "PATCH"), [record_id]):
                doc = self._writer.update(name, record_id, _object(request), partial=request.method == "PATCH")
                return self._written(request, 200, name, doc)
            case "DELETE", [record_id]:
                doc = self._writer.delete(table, record_id)
                self._report(request, name, doc, None)
                return bare_answer(204)
        return bare_answer(405)

    def _products(self, request: Request, opportunity_id: str, rest: list[str]) -> Answer:
        writer = self._writer
        opportunity = writer.found(self.data.tables["opportunities"], opportunity_id)
        match request.method, rest:
            case "GET", []:
                only = ActTable()
                only.docs = {doc["id"]: doc for doc in self.data.products_of(opportunity["id"])}
                return self._list(request, only, "products", None)
            case "POST", []:
                product = writer.save_product(opportunity["id"], None, _object(request))
                return self._written(request, 201, "products", product)
            case "PUT", [product_id]:
                product = writer.save_product(opportunity["id"], product_id, _object(request))
                return self._written(request, 200, "products", product)
            case "DELETE", [product_id]:
                product = writer.delete_product(opportunity["id"], product_id)
                self._report(request, "products", product, None)
                return bare_answer(204)
        return bare_answer(405)

    def _custom(self, request: Request, rest: list[str]) -> Answer:
        if len(rest) < 2 or rest[0].casefold() != "entities":
            return bare_answer(404)
        if not self._switches.act_custom_tables:
            raise failure(403, "The licence does not include custom tables (4031).", subCode=4031)
        if self.data.entity(rest[1]) is None:
            return bare_answer(404)
        entity, table, writer = rest[1].upper(), self.data.table(rest[1]), self._writer
        match request.method, rest[2:]:
            case "GET", []:
                return self._list(request, table, "", entity)
            case "GET", [record_id]:
                return self._row(200, entity, writer.found(table, record_id))
            case "POST", []:
                return self._saved(request, 201, entity, writer.save_row(entity, None, _object(request)))
            case "PUT", [record_id]:
                return self._saved(request, 200, entity, writer.save_row(entity, record_id, _object(request)))
            case "DELETE", [record_id]:
                doc = writer.delete(table, record_id)
                self._report(request, entity, doc, None)
                return bare_answer(204)
        return bare_answer(405)

    def _metadata(self, request: Request, rest: list[str]) -> Answer:
        match request.method, [part.casefold() for part in rest]:
            case "GET", ["entities"]:
                return json_answer(200, entities_shown(self.data, custom=self._switches.act_custom_tables))
            case "POST", ["entities"]:
                return json_answer(201, self._writer.define_table(_object(request)))
            case "GET", ["datatypes"]:
                return json_answer(200, sorted(TYPES))
            case "GET", [record_type, "fields"]:
                self._check_type(record_type)
                return json_answer(200, self.data.columns_of(record_type))
            case "POST", [record_type, "fields"]:
                self._check_type(record_type)
                return json_answer(201, self._writer.define_field(rest[0], _object(request)))
        return bare_answer(404)

    def _check_type(self, record_type: str) -> None:
        custom = self._switches.act_custom_tables
        known = {str(entity["name"]).casefold() for entity in entities_shown(self.data, custom=custom)}
        if record_type not in known:
            raise Refused(bare_answer(404))

    def _dynamic(self, request: Request, rest: list[str]) -> Answer:
        if not self._switches.act_dynamic_list:
            return bare_answer(404)
        match request.method, [part.casefold() for part in rest]:
            case "GET", ["metadata"]:
                return json_answer(200, act_dynamic.metadata(self.data))
            case "POST", ["opportunity-preview"]:
                columns = self.data.names_of("Opportunity")
                docs = act_dynamic.preview(self.data, _json(request))
                return json_answer(200, [self._view.shown(doc, "opportunities", columns) for doc in docs])
        return bare_answer(404)

    def _language(self, request: Request, rest: list[str]) -> Answer:
        if rest != ["currencies"] or not self._switches.act_currency_settings:
            return bare_answer(404)
        return json_answer(200, [{"code": self.data.currency, "name": self.data.currency, "isDefault": True}])

    def _list(self, request: Request, table: ActTable, name: str, record_type: str | None) -> Answer:
        rows = self._view.listed(table, name, record_type, request.query)
        return json_answer(200, [] if request.empty_lists else rows)

    def _entity(self, status: int, name: str, doc: Doc) -> Answer:
        record_type = COLLECTIONS[name].record_type
        columns = self.data.names_of(record_type) if record_type else {}
        return json_answer(status, self._view.shown(doc, name, columns))

    def _row(self, status: int, entity: str, doc: Doc) -> Answer:
        return json_answer(status, self._view.shown(doc, "", self.data.names_of(entity)))

    def _written(self, request: Request, status: int, name: str, doc: Doc) -> Answer:
        self._report(request, name, doc, _json(request))
        return self._entity(status, name, doc)

    def _saved(self, request: Request, status: int, entity: str, doc: Doc) -> Answer:
        self._report(request, entity, doc, _json(request))
        return self._row(status, entity, doc)

    def _report(self, request: Request, name: str, doc: Doc, body: Any) -> None:
        if self._effect is not None:
            key = key_of(doc)
            kind = _KINDS.get(key.split(":")[1]) if key and name != "products" else None
            self._effect(request, kind or _TYPES.get(name, name.lower()), key, doc["id"], body)


def key_of(doc: Doc) -> str | None:
    """The `ghl:` key that a record carries, wherever it stands."""
    values = [
        doc.get("sourceId"),
        doc.get("regarding"),
        doc.get("itemNumber"),
        *(doc.get("customFields") or {}).values(),
    ]
    values += [value for name, value in doc.items() if "key" in name or "ghl" in name]
    return next((text for text in values if isinstance(text, str) and _KEY.fullmatch(text)), None)


def _nowhere(request: Request, rest: list[str]) -> Answer:
    return bare_answer(404)


def _json(request: Request) -> Any:
    try:
        return decode(request.body) if request.body else None
    except msgspec.DecodeError:
        raise failure(400, "The body is not JSON.") from None


def _object(request: Request) -> Doc:
    value = _json(request)
    if not isinstance(value, dict):
        raise failure(400, "An entity is required.")
    return value
