"""Behaviours the contracts leave open, as switches that a test sets for as long as it needs them.

Add a switch when a vendor may behave in two ways and a client has to survive both; passing trouble is a fault.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Switches(msgspec.Struct, forbid_unknown_fields=True):
    """Current behaviour of the vendors.

    `halo_ignored_filters` names query parameters that this tenant's Halo does not know. `ghl_date_filter`:
    `exact` includes both ends and the whole day of a bare `endAt`; `date_only_exclusive` reads a bare `endAt` as the
    start of its day; `wider` answers a day more at either end; `narrower` looks at days only and leaves `endAt`'s out.
    `ghl_fulfillment_touches` is what a fulfillment changes in its order; `status` changes `updatedAt` as well.
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
    ghl_refresh_grace_seconds: float = 0.0

    def update(self, values: dict[str, Any]) -> None:
        """Set the given switches; msgspec.ValidationError names an unknown switch or value and changes nothing."""
        merged = msgspec.convert(msgspec.to_builtins(self) | values, Switches)
        for name in self.__struct_fields__:
            setattr(self, name, getattr(merged, name))
