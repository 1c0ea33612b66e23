"""A system that keeps one deal an order, found by its reference: the least that the loop can work with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from ghl_payments.connectors.base import DesiredRecord, Level, Probe, ReadCertificate, WriteAnswer
from ghl_payments.transport.auth import BearerToken
from ghl_payments.transport.budget import RateBudget
from ghl_payments.transport.errors import NotFound
from ghl_payments.transport.exchange import Response
from ghl_payments.transport.http import HttpClient
from ghl_payments.transport.jsontext import decode
from ghl_payments.transport.landing import LandingWriter


class ToyConnector:
    """One toy account."""

    system = "toy"
    record_types: Sequence[str] = ("deal",)
    auxiliary_types: Sequence[str] = ()
    detail_types: Sequence[str] = ()
    keyed_types: Sequence[str] = ()
    capabilities: Mapping[str, tuple[str, ...]] = {}

    def __init__(self, base_url: str, token: SecretStr, budget: RateBudget, connection: str) -> None:
        self._http = HttpClient("toy", base_url, BearerToken(token), budget)
        self._connection = connection

    async def probe_levels(self, *, may_write: bool) -> dict[str, Level]:
        return {}

    def use_levels(self, levels: Mapping[str, str]) -> None:
        """Nothing to choose from."""

    async def probe(self, record_type: str) -> Probe:
        return Probe(len(decode(await self._get("/deals"))), self._http.clock_ahead)

    async def read(self, record_type: str, landing: Path) -> ReadCertificate:
        body = await self._get("/deals")
        rows = decode(body)
        with LandingWriter(landing) as writer:
            writer.append(self._envelope("list"), body)
        ids = {row["id"] for row in rows}
        return ReadCertificate("deal", len(rows), len(ids), len(rows), 1, 1, complete=len(ids) == len(rows))

    async def read_details(self, record_type: str, native_ids: Iterable[str], landing: Path) -> dict[str, int]:
        statuses: dict[str, int] = {}
        with LandingWriter(landing) as writer:
            for native_id in native_ids:
                try:
                    body, statuses[native_id] = await self._get(f"/deals/{native_id}"), 200
                except NotFound:
                    body, statuses[native_id] = b"null", 404
                writer.append(self._envelope("detail", native_id=native_id, status=statuses[native_id]), body)
        return statuses

    async def find(self, record_type: str, key: str, location_id: str, landing: Path) -> list[str]:
        rows = decode(await self._get("/deals"))
        hits = [row["id"] for row in rows if (row["reference"], row["place"]) == (key, location_id)]
        await self.read_details(record_type, hits, landing)
        return hits

    async def create(self, record: DesiredRecord) -> WriteAnswer:
        body = {"reference": record.key, "place": record.location_id, "cents": record.fields["cents"]}
        return await self._write("POST", "/deals", body)

    async def update(self, native_id: str, record: DesiredRecord, changed: Sequence[str]) -> WriteAnswer:
        return await self._write("PUT", f"/deals/{native_id}", {name: record.fields[name] for name in changed})

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _get(self, path: str) -> bytes:
        return await self._http.read(path, lambda response: response.body)

    async def _write(self, method: str, path: str, body: dict[str, Any]) -> WriteAnswer:
        def parse(response: Response) -> WriteAnswer:
            return WriteAnswer(decode(response.body)["id"], response.status)

        return await self._http.request(method, path, parse, json=body, idempotent=False)

    def _envelope(self, kind: str, **more: object) -> dict[str, object]:
        return {"kind": kind, "system": "toy", "record_type": "deal", "connection": self._connection, **more}
