"""Lists of Halo that disagree with themselves, answered by a server of the test's own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ghl_payments.connectors.base import ReadCertificate
from ghl_payments.connectors.halo.client import HaloClient
from ghl_payments.connectors.halo.connector import HaloConnector
from ghl_payments_tests.connectors.support import QUICK, landed, unlimited
from ghl_payments_tests.loopback import Handler, Reply, Request, json_reply, loopback


def read(answer: Handler, path: Path) -> ReadCertificate:
    def handler(request: Request) -> Any:
        if request.path == "/auth/token":
            return json_reply({"access_token": "t", "expires_in": 3600})
        return Reply(status=404) if request.path == "/api/authinfo" else answer(request)

    async def main() -> ReadCertificate:
        async with loopback(handler) as server:
            client = HaloClient(server.base_url, "t", SecretStr("i"), SecretStr("s"), unlimited(), retry=QUICK)
            connector = HaloConnector(client, "halo")
            try:
                return await connector.read("invoice", path)
            finally:
                await connector.aclose()

    return asyncio.run(main())


def page(request: Request, total: int, *, size: int = 100) -> list[dict[str, int]]:
    start = (int(request.query["page_no"]) - 1) * size
    return [{"id": n} for n in range(start, min(start + size, total))]


def test_a_count_that_changes_while_paging_starts_the_list_again(tmp_path: Path) -> None:
    asked = 0

    def growing(request: Request) -> Reply:
        nonlocal asked
        asked += 1
        total = 150 if asked == 1 else 151
        return json_reply({"record_count": total, "invoices": page(request, total)})

    certificate = read(growing, tmp_path / "x.zst")
    assert (certificate.complete, certificate.attempts, certificate.rows) == (True, 2, 151)
    assert len(landed(tmp_path / "x.zst")) == 2  # the first attempt's pages are gone


def test_a_count_that_never_rests_is_incomplete(tmp_path: Path) -> None:
    asked = 0

    def growing(request: Request) -> Reply:
        nonlocal asked
        asked += 1
        return json_reply({"record_count": 150 + asked, "invoices": page(request, 150 + asked)})

    certificate = read(growing, tmp_path / "x.zst")
    assert (certificate.complete, certificate.attempts) == (False, 3)
    assert (certificate.reason or "").startswith("total_changed")


def test_a_page_size_below_the_one_asked_for_is_followed(tmp_path: Path) -> None:
    certificate = read(
        lambda request: json_reply({"record_count": 120, "invoices": page(request, 120, size=50)}), tmp_path / "x.zst"
    )
    assert (certificate.complete, certificate.pages, certificate.unique_ids) == (True, 3, 120)


def test_rows_that_slide_between_pages_are_noticed(tmp_path: Path) -> None:
    def sliding(request: Request) -> Reply:
        rows = [{"id": n} for n in (range(100) if request.query["page_no"] == "1" else range(99, 149))]
        return json_reply({"record_count": 150, "invoices": rows})

    certificate = read(sliding, tmp_path / "x.zst")
    assert not certificate.complete
    assert (certificate.reason or "").startswith("id_twice")


@pytest.mark.parametrize("answer", [{"record_count": 0}, {"invoices": [], "others": []}, {"record_count": "1", "a": []},
                                    {"invoices": [1]}, "text"])  # fmt: skip
def test_no_list_or_two_lists_are_drift_and_never_an_empty_answer(tmp_path: Path, answer: object) -> None:
    certificate = read(lambda request: json_reply(answer), tmp_path / "x.zst")
    assert not certificate.complete
    assert (certificate.reason or "").startswith("schema_drift")


def test_columns_beside_the_rows_are_no_second_list(tmp_path: Path) -> None:
    certificate = read(
        lambda request: json_reply({"record_count": 1, "columns": [], "invoices": [{"id": 1}]}), tmp_path / "x.zst"
    )
    assert certificate.complete


def test_a_bare_array_that_ignores_paging_is_whole_when_longer_than_a_page_and_doubtful_when_full(
    tmp_path: Path,
) -> None:
    longer = read(lambda request: json_reply([{"id": n} for n in range(130)]), tmp_path / "x.zst")
    assert (longer.complete, longer.rows, longer.declared) == (True, 130, None)
    full = read(lambda request: json_reply([{"id": n} for n in range(100)]), tmp_path / "x.zst")
    assert not full.complete
    assert (full.reason or "").startswith("paging_ignored")
    paged = read(lambda request: json_reply(page(request, 230)), tmp_path / "x.zst")
    assert (paged.complete, paged.rows, paged.pages) == (True, 230, 3)
