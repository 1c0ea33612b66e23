"""Behaviours the contracts leave open, as switches that a test sets for as long as it needs them.

Add a switch when a vendor may behave in two ways and a client has to survive both; passing trouble is a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec


class Switches(msgspec.Struct, forbid_unknown_fields=True):
    """Current behaviour of the vendors.

    `halo_ignored_filters` names query parameters that this tenant's Halo does not know. `ghl_date_filter`:
    `exact` includes both ends and the whole day of a bare `endAt`; `date_only_exclusive` reads a bare `endAt` as the
    start of its day; `wider` answers a day more at either end; `narrower` looks at days only and leaves `endAt`'s out.
    `ghl_fulfillment_touches` is what a fulfillment changes in its order; `status` changes `updatedAt` as well.
    `ghl_recorded_payment_shows`: whether a payment made elsewhere shows its notes (`meta` in its detail only), its mode
    alone, a provider type instead of it, or nothing.
    `ghl_record_payment`: `not_found` answers 404 for orders that are there, as was reported.
    `ghl_cash_recorded` changes the answer key only: what follows in other systems where cash is recorded in GHL.
    `ghl_refresh_grace_seconds`: for so long a used refresh token gives the same new pair again.
    """

    halo_sales_order_key: Literal["salesorders", "orders"] = "salesorders"
    halo_bare_arrays: bool = False
    halo_lines_on_update: Literal["replace", "merge", "append"] = "replace"
    halo_ignored_filters: list[str] = []
    ghl_detail_shape: Literal["object", "array", "data"] = "object"
    ghl_not_found: Literal[404, 400] = 404
    ghl_date_filter: Literal["exact", "date_only_exclusive", "wider", "narrower"] = "exact"
    ghl_fulfillment_touches: Literal["nothing", "updated_at", "status"] = "nothing"
    ghl_over_fulfillment: Literal["refused", "accepted"] = "refused"
    ghl_write_status: Literal[200, 201] = 200
    ghl_recorded_payment_shows: Literal["notes", "mode", "provider", "nothing"] = "notes"
    ghl_cash_recorded: bool = False
    ghl_record_payment: Literal["works", "not_found"] = "works"
    ghl_refresh_grace_seconds: float = 0.0


class SwitchError(ValueError):
    """A switch that no system has, or a value that it cannot have."""


class SwitchBoard:
    """All switches of all systems as one table; each system reads the instance of its own Struct, `parts[system]`.

    `start` are those the sandbox was started with; `reset` comes back to them.
    """

    def __init__(self, types: Mapping[str, type[msgspec.Struct]], start: Mapping[str, Any] | None = None) -> None:
        made = {kind: kind() for kind in dict.fromkeys(types.values())}
        self.parts: dict[str, msgspec.Struct] = {system: made[kind] for system, kind in types.items()}
        self._structs = list(made.values())
        self.update(start or {})
        self._start = self.shown()

    def shown(self) -> dict[str, Any]:
        """Every switch with its value."""
        return {name: value for part in self._structs for name, value in msgspec.to_builtins(part).items()}

    def update(self, values: Mapping[str, Any]) -> None:
        """Set the given switches; SwitchError names an unknown switch or a wrong value, and nothing is changed."""
        known = {name for part in self._structs for name in part.__struct_fields__}
        if unknown := sorted(set(values) - known):
            msg = f"no switch {', '.join(unknown)}; there are: {', '.join(sorted(known))}"
            raise SwitchError(msg)
        merged = []
        for part in self._structs:
            own = {name: value for name, value in values.items() if name in part.__struct_fields__}
            try:
                merged.append(msgspec.convert(msgspec.to_builtins(part) | own, type(part)))
            except msgspec.ValidationError as error:
                raise SwitchError(f"{error}{_permitted(type(part), own)}") from None
        for part, new in zip(self._structs, merged, strict=True):
            for name in part.__struct_fields__:
                setattr(part, name, getattr(new, name))

    def reset(self) -> None:
        """Back to the switches of the start."""
        self.update(self._start)


def _permitted(part: type[msgspec.Struct], values: Mapping[str, Any]) -> str:
    """What the given switches may be, where that is a list of values and the one given is not in it."""
    kinds = get_type_hints(part)
    choices = {name: (True, False) if kinds[name] is bool else get_args(kinds[name]) for name in values
               if kinds[name] is bool or get_origin(kinds[name]) is Literal}  # fmt: skip
    wrong = [name for name, permitted in choices.items() if values[name] not in permitted]
    return "".join(f"; {name} is one of {', '.join(map(_shown, choices[name]))}" for name in wrong)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def read_switch(text: str) -> tuple[str, Any]:
    """`name=value` as a switch: the value is JSON where it is JSON, else text. SwitchError without a `=`."""
    name, equals, value = text.partition("=")
    if not equals:
        msg = f"a switch is NAME=VALUE, not {text!r}"
        raise SwitchError(msg)
    try:
        return name, msgspec.json.decode(value.encode())
    except msgspec.DecodeError:
        return name, value
