"""Behaviours of Act! that its published contract leaves open, as switches.

Add a switch when a database may behave in two ways and a client has to survive both.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class ActSwitches(msgspec.Struct, forbid_unknown_fields=True):
    """Current behaviour of the database.

    `act_access` is what signing in meets. `act_top_cap` is the largest page. `act_put` says what happens to members
    left out of a PUT, `act_patch_ignores` which members PATCH accepts and drops. Without `act_custom_tables` the
    licence has none. `act_status_names` shows an opportunity's status by name. `act_edited_digits` are the decimals of
    the second that are shown, while comparisons use them all.
    """

    act_token_quoted: bool = False
    act_token_seconds: int = 3600
    act_access: Literal["ok", "incompatible", "no_subscription", "no_api_access"] = "ok"
    act_source_id: Literal["filterable", "not_filterable", "dropped"] = "filterable"
    act_custom_field_filter: bool = True
    act_column_filter: bool = True
    act_dynamic_list: bool = True
    act_filter_edited: bool = True
    act_case_sensitive: bool = False
    act_odata_error: Literal[400, 500] = 400
    act_top_cap: int = 100
    act_put: Literal["blanks", "merges"] = "blanks"
    act_patch_ignores: list[str] = []
    act_product_bumps_edited: bool = True
    act_custom_tables: bool = True
    act_define_fields: bool = True
    act_currency_settings: bool = True
    act_status_names: bool = False
    act_history_html: bool = False
    act_edited_digits: Literal[0, 6] = 6
