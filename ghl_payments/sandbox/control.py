"""The sandbox's own API below `/_sandbox`: state, logs, answer key, faults, switches.

Nothing here is part of any vendor; it exists for tests, the demo and the curious.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from ghl_payments.sandbox.codec import decode
from ghl_payments.sandbox.faults import FaultSpec
from ghl_payments.sandbox.ghl_events import Happening
from ghl_payments.sandbox.stores import Stores, collector_paused
from ghl_payments.sandbox.webhooks import Subscription, shown
from ghl_payments.sandbox.wire import Answer, Request, json_answer

Handler = Callable[[Request], Answer]


class Control:
    """Answers below `/_sandbox`."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._handlers: dict[tuple[str, str], Handler] = {
            ("GET", "state"): lambda request: Answer(200, stores.dump()),
            ("PUT", "state"): self._put_state,
            ("GET", "effects"): lambda request: json_answer(200, stores.effect_rows()),
            ("GET", "requests"): self._requests,
            ("GET", "answer-key"): self._answer_key,
            ("POST", "reset"): self._reset,
            ("GET", "faults"): lambda request: json_answer(200, stores.faults.shown()),
            ("POST", "faults"): self._post_fault,
            ("DELETE", "faults"): self._delete_faults,
            ("GET", "switches"): lambda request: json_answer(200, stores.switches.shown()),
            ("PUT", "switches"): self._put_switches,
            ("GET", "webhooks"): lambda request: json_answer(200, shown(stores.webhooks)),
            ("PUT", "webhooks"): self._subscribe,
            ("DELETE", "webhooks"): self._unsubscribe,
            ("POST", "happenings"): self._happen,
        }

    def handle(self, request: Request) -> Answer:
        """Answer one request; 400 says what is wrong with it."""
        handler = self._handlers.get((request.method, request.path.strip("/"))) or self._act_of(request)
        if handler is None:
            known = sorted(f"{method} /_sandbox/{name}" for method, name in self._handlers)
            return json_answer(404, {"error": "unknown control endpoint", "known": known})
        try:
            return handler(request)
        except (msgspec.MsgspecError, re.error, ValueError, TypeError, AttributeError, KeyError) as error:
            return json_answer(400, {"error": f"{type(error).__name__}: {error}"})

    def _act_of(self, request: Request) -> Handler | None:
        """What people do in one system by hand: `POST /_sandbox/SYSTEM/ACTION`, where the system has such acts."""
        system, _, action = request.path.strip("/").partition("/")
        act = getattr(self._stores.vendors.get(system), "control", None)
        if act is None or request.method != "POST":
            return None
        return lambda request: json_answer(200, act(action, decode(request.body)))

    def _put_state(self, request: Request) -> Answer:
        with collector_paused():
            state = decode(request.body)
            if not isinstance(state, dict):
                return json_answer(400, {"error": "the state is a JSON object"})
            self._stores.load(state)
        return json_answer(200, {"loaded": True})

    def _requests(self, request: Request) -> Answer:
        if request.query.get("count"):
            return json_answer(200, {"count": self._stores.requests.total})
        return json_answer(200, self._stores.requests.rows())

    def _answer_key(self, request: Request) -> Answer:
        key = self._stores.answer_key
        if key is None:
            return json_answer(404, {"error": "the state was put by a client, so its answer key is not known"})
        return Answer(200, key)

    def _reset(self, request: Request) -> Answer:
        self._stores.reset()
        return json_answer(200, {"reset": True})

    def _post_fault(self, request: Request) -> Answer:
        spec = msgspec.json.decode(request.body, type=FaultSpec)
        if spec.system is not None and spec.system not in self._stores.vendors:
            msg = f"unknown system {spec.system!r}; known: {', '.join(self._stores.vendors)}"
            raise ValueError(msg)
        if spec.fault == "expire_tokens":
            # Nothing to wait for: it happens at once and leaves no fault behind.
            self._stores.expire_tokens(spec.system)
            return json_answer(201, {"id": None, "fault": spec.fault, "struck": 1, "remaining": 0})
        return json_answer(201, self._stores.faults.add(spec).shown())

    def _delete_faults(self, request: Request) -> Answer:
        if number := request.query.get("id"):
            return json_answer(200, {"removed": int(self._stores.faults.remove(int(number)))})
        removed = len(self._stores.faults.shown())
        self._stores.faults.clear()
        return json_answer(200, {"removed": removed})

    def _put_switches(self, request: Request) -> Answer:
        self._stores.switches.update(decode(request.body))
        return json_answer(200, self._stores.switches.shown())

    def _subscribe(self, request: Request) -> Answer:
        """Where a system's webhooks go; one subscriber a system."""
        self._stores.webhooks.subscribe(msgspec.json.decode(request.body, type=Subscription))
        return json_answer(200, shown(self._stores.webhooks))

    def _unsubscribe(self, request: Request) -> Answer:
        self._stores.webhooks.clear()
        return json_answer(200, {"removed": True})

    def _happen(self, request: Request) -> Answer:
        return json_answer(200, self._stores.happen(msgspec.convert(decode(request.body), Happening)))
