"""Dynamic lists of the sandboxed Act!: which columns can be asked for, and previews by criteria.

Only what a search by text needs is here: EqualTo and Contains over opportunities.
"""

from __future__ import annotations

from typing import Any

from ghl_payments.sandbox.act_auth import failure
from ghl_payments.sandbox.act_data import ActData, is_visible
from ghl_payments.sandbox.codec import Doc

TABLE = "TBL_OPPORTUNITY"


def metadata(data: ActData) -> list[Doc]:
    """The searchable columns of opportunities."""
    fields = [
        {"name": column["displayName"], "table": TABLE, "column": column["columnName"], "dataType": "String"}
        for column in data.columns_of("Opportunity")
    ]
    return [{"name": "Opportunities", "type": "Opportunity", "fields": fields}]


def preview(data: ActData, criteria: Any) -> list[Doc]:
    """The opportunities that fulfil the one criterion; none means all."""
    docs = [doc for doc in data.tables["opportunities"].docs.values() if is_visible(doc)]
    if not criteria:
        return docs
    if not isinstance(criteria, list) or len(criteria) != 1 or not isinstance(criteria[0], dict):
        raise failure(400, "One criterion is needed.")
    criterion = criteria[0]
    columns = {column["columnName"]: name for name, column in data.names_of("Opportunity").items()}
    name = columns.get(criterion.get("columnName"))
    values = criterion.get("values") or []
    if name is None or criterion.get("tableName") != TABLE or not values:
        raise failure(400, "The criterion names no column of opportunities.")
    wanted = str(values[0].get("dataItem") or "").casefold()
    exact = criterion.get("operator") == "EqualTo"

    def fits(doc: Doc) -> bool:
        text = str((doc.get("customFields") or {}).get(name) or "").casefold()
        return text == wanted if exact else wanted in text

    return [doc for doc in docs if fits(doc)]
