"""One Act! account as it is kept: its levels and options, what its fields are called, where each record type stands.

Extend it when a record type can stand in a further form; requests about records belong to `connector.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from ghl_payments.connectors.act.bodies import Form, refusal
from ghl_payments.connectors.act.client import ActClient
from ghl_payments.connectors.act.directory import create_fields, load_directory, path_of, remedy
from ghl_payments.connectors.act.fields import Directory
from ghl_payments.connectors.act.options import ActOptions
from ghl_payments.connectors.act.probes import CAPABILITIES
from ghl_payments.connectors.act.search import Keys
from ghl_payments.connectors.base import DesiredRecord
from ghl_payments.transport.errors import Forbidden, NotFound, Rejected

logger = logging.getLogger(__name__)

_SEARCHES = {"contact": "contact_search", "opportunity": "order_search"}


class ActAccount:
    """A client with what is known about its database; `name` is the connection's in connections.yaml."""

    def __init__(self, client: ActClient, name: str, options: ActOptions) -> None:
        self.client = client
        self.name = name
        self.options = options
        self.levels: dict[str, str] = {}
        self.by_email: dict[str, list[str]] | None = None
        """Contacts without a key of ours by e-mail address, where addresses cannot be searched for."""
        self._form: Form | None = None
        self._may_create = options.create_missing
        self._lock = asyncio.Lock()
        self.use_levels({})

    def use_levels(self, levels: Mapping[str, str]) -> None:
        """Work at these levels from now on; a capability that is not named is at its safest."""
        self.levels = {name: options[-1] for name, options in CAPABILITIES.items()} | dict(levels)
        self._form = None

    @property
    def has_tables(self) -> bool:
        """Whether payments and subscriptions have custom tables of their own."""
        return self.levels["custom_tables"] == "available"

    def path(self, record_type: str, form: Form | None = None) -> str:
        """The collection in which records of a type stand."""
        form = form or Form(Directory({}, ()), self.has_tables, self.options.source)
        if form.is_history(record_type):
            return "history"
        return path_of("opportunity" if form.is_opportunity(record_type) else record_type, self.options)

    def level(self, record_type: str) -> str:
        """At which level records of a type are searched by key."""
        if record_type == "subscription" and not self.has_tables:
            return self.levels["order_search"]
        return self.levels[_SEARCHES.get(record_type, "payment_search")]

    def keys(self, record_type: str, form: Form) -> Keys:
        """How records of a type carry their key."""
        if form.is_history(record_type):
            return Keys.of_history()
        owner = form.owner(record_type)
        names = {field: name for (of, field), name in form.directory.names.items() if of == owner}
        return Keys(
            self.path(record_type, form), names, custom=not form.is_table(record_type),
            with_source_id=owner == "opportunity",
        )  # fmt: skip

    async def form(self) -> Form:
        """How this database keeps our records, found out once."""
        async with self._lock:
            if self._form is None:
                self._form = await self.find_form(tables=self.has_tables)
            return self._form

    async def find_form(self, *, tables: bool) -> Form:
        """The same found out anew."""
        directory = await load_directory(self.client, self.options, tables=tables)
        return Form(directory, tables, self.options.source, self.options.history_type_id)

    async def writing_form(self, record: DesiredRecord) -> Form:
        """The form with the fields that a record needs, created if they may be; Rejected names those lacking."""
        form = await self.form()
        if form.directory.missing and self._may_create:
            async with self._lock:
                try:
                    await create_fields(self.client, self.options, form.directory.missing)
                except (Forbidden, NotFound, Rejected) as error:
                    logger.warning("%s: fields cannot be created: %s", self.name, error)
                self._may_create = False  # once in a connector's life is enough, whatever came of it
                self._form = None
            form = await self.form()
        lacking = [spec for spec in form.directory.missing if spec.owner == form.owner(record.record_type)]
        if lacking:
            raise refusal(record, remedy(lacking, self.options))
        return form
