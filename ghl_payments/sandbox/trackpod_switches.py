"""What is left open of Track-POD's API, as switches that a test or a person sets.

A new ambiguity of the account is one more switch here; what it changes belongs to the module that acts it out.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class TrackpodSwitches(msgspec.Struct, forbid_unknown_fields=True):
    """Behaviours that the vendor's documentation leaves open, and what one key may do.

    `put` says what an update does to fields that are not sent. `frozen_address` is what becomes of another address for
    an order planned into a route. `old_cursor` `clamp` answers the last day for an older one. `in_progress` says
    whether an order that the driver has begun may still be updated, `unscheduled_status` is the StatusId of one nobody
    has begun. `bulk_status` 201 creates without a body. `key_methods` are the methods this key may use (none named:
    all), `key_shipper` the one ShipperId it sees (empty: all); what it may not use is answered with `key_refusal`.
    """

    trackpod_put: Literal["replace", "merge"] = "replace"
    trackpod_frozen_address: Literal["kept", "refused"] = "kept"
    trackpod_unknown_fields: Literal["ignored", "refused"] = "ignored"
    trackpod_old_cursor: Literal["refused", "clamp"] = "refused"
    trackpod_in_progress: Literal["open", "processed"] = "open"
    trackpod_unscheduled_status: Literal["null", "zero"] = "null"
    trackpod_bulk_status: Literal[200, 201] = 200
    trackpod_key_methods: list[str] = []
    trackpod_key_shipper: str = ""
    trackpod_key_refusal: Literal[401, 403] = 403
