"""Slices, sweeps and details of GHL read from the sandbox, in order and out of it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from ghl_payments.connectors.ghl.client import ENDPOINTS, GhlClient
from ghl_payments.connectors.ghl.scan import (
    DetailResult,
    SliceCertificate,
    SweepResult,
    fetch_details,
    fetch_providers,
    month_bounds,
    scan_slice,
    sweep,
)
from ghl_payments.transport import errors
from ghl_payments.transport.landing import LandingWriter
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.support import as_of, landed, listed_ids, with_ghl
from ghl_payments_tests.running_sandbox import RunningSandbox
from ghl_payments_tests.sandbox.states import ghl_state, order, transaction

NOVEMBER = date(2026, 11, 1)


def some_orders(count: int, month: str = "2026-11") -> list[dict[str, object]]:
    base = int(month.replace("-", "")) * 1000
    return [order(base + n, f"{month}-{n % 15 + 1:02d}T10:{n % 60:02d}:00.000Z") for n in range(count)]


def scan(
    sandbox: RunningSandbox, path: Path, *, month: date | None = NOVEMBER, limit: int = 10, attempts: int = 3
) -> SliceCertificate:
    async def use(client: GhlClient) -> SliceCertificate:
        with LandingWriter(path) as landing:
            return await scan_slice(client, "orders", month, landing, limit=limit, max_attempts=attempts)

    return with_ghl(sandbox, use)


def sweep_all(sandbox: RunningSandbox, folder: Path, stream: str = "orders", location: int = 0) -> SweepResult:
    async def use(client: GhlClient) -> SweepResult:
        return await sweep(client, stream, folder, as_of=as_of(sandbox))

    return with_ghl(sandbox, use, location=location)


def details(sandbox: RunningSandbox, path: Path, stream: str, ids: list[str]) -> DetailResult:
    async def use(client: GhlClient) -> DetailResult:
        with LandingWriter(path) as landing:
            return await fetch_details(client, stream, ids, landing)

    return with_ghl(sandbox, use)


@pytest.mark.parametrize("location", [0, 1])
def test_a_sweep_finds_every_record_of_the_world_once(sandbox: SandboxFactory, tmp_path: Path, location: int) -> None:
    running = sandbox(orders=300)
    world = running.state()["ghl"]["locations"][location]
    for stream in ("orders", "transactions", "subscriptions"):
        result = sweep_all(running, tmp_path / stream, stream, location)
        assert result.whole
        assert result.filter_verdict == "exact"
        assert result.sum_of_slices == len(world[stream])
        rows = [row for path in result.files for row in listed_ids(path)]
        assert set(rows) == {document["_id"] for document in world[stream]}
        for certificate, path in zip(result.certificates, result.files, strict=True):
            assert certificate.month is not None
            assert path.name == f"{stream}-{certificate.month:%Y-%m}-{certificate.scan_id}.ndjson.zst"


def test_a_slice_over_many_pages_is_complete_and_its_pages_overlap_by_one_row(
    sandbox: SandboxFactory, tmp_path: Path
) -> None:
    running = sandbox()
    running.put_state(ghl_state(orders=some_orders(95)))
    certificate = scan(running, tmp_path / "x.zst")
    assert certificate.complete
    assert (certificate.rows, certificate.unique_ids, certificate.total_first, certificate.total_last) == (95,) * 4
    assert (certificate.pages, certificate.requests, certificate.attempts) == (11, 11, 1)
    pages = [line["body"]["data"] for line in landed(tmp_path / "x.zst")]
    assert all(before[-1] == after[0] for before, after in pairwise(pages))
    assert [line["envelope"]["offset"] for line in landed(tmp_path / "x.zst")] == list(range(0, 95, 9))


def test_an_empty_month_costs_one_request(sandbox: SandboxFactory, tmp_path: Path) -> None:
    certificate = scan(sandbox(), tmp_path / "x.zst")
    assert certificate.complete
    assert (certificate.rows, certificate.requests) == (0, 1)


@pytest.mark.parametrize("op", ["insert", "delete", "backdated_insert"])
def test_rows_that_move_while_paging_are_noticed_and_read_again(
    sandbox: SandboxFactory, tmp_path: Path, op: str
) -> None:
    running = sandbox()
    running.put_state(ghl_state(orders=some_orders(60)))
    running.fault("page_drift", op=op, times=1)
    certificate = scan(running, tmp_path / "x.zst")
    assert certificate.complete
    assert certificate.attempts == 2
    truth = {document["_id"] for document in running.state()["ghl"]["locations"][0]["orders"]}
    assert set(listed_ids(tmp_path / "x.zst")) == truth


@pytest.mark.parametrize("op", ["insert", "delete", "backdated_insert"])
def test_rows_that_never_stop_moving_make_the_slice_incomplete(
    sandbox: SandboxFactory, tmp_path: Path, op: str
) -> None:
    running = sandbox()
    running.put_state(ghl_state(orders=some_orders(60)))
    running.fault("page_drift", op=op)
    certificate = scan(running, tmp_path / "x.zst")
    assert not certificate.complete
    assert certificate.attempts == 3
    assert re.match("total_changed|drift_while_paging", certificate.reason or "")


@pytest.mark.parametrize("kind", ["html", "truncated_json"])
def test_a_page_that_stays_unreadable_makes_the_slice_incomplete(
    sandbox: SandboxFactory, tmp_path: Path, kind: str
) -> None:
    running = sandbox()
    running.put_state(ghl_state(orders=some_orders(60)))
    running.fault(kind, system="ghl", times=2)
    assert scan(running, tmp_path / "x.zst").complete
    running.fault(kind, system="ghl")
    certificate = scan(running, tmp_path / "x.zst")
    assert not certificate.complete
    assert (certificate.reason or "").startswith("page_unreadable")


def test_a_page_that_suddenly_claims_to_be_empty_is_not_believed(sandbox: SandboxFactory, tmp_path: Path) -> None:
    running = sandbox()
    running.put_state(ghl_state(orders=some_orders(60)))
    first = scan(running, tmp_path / "x.zst")
    running.fault("status", system="ghl", status=200, body={"data": [], "totalCount": 60}, times=1)
    again = scan(running, tmp_path / "x.zst")
    assert (again.complete, again.attempts, again.rows) == (True, 2, first.rows)


def test_a_filter_wider_than_asked_is_named_and_counts_no_row_twice(sandbox: SandboxFactory, tmp_path: Path) -> None:
    running = sandbox()
    edges = [order(1, "2026-10-31T23:30:00.000Z"), order(2, "2026-11-01T00:30:00.000Z")]
    running.put_state(ghl_state(orders=[*edges, *some_orders(12, "2026-09")]))
    running.switches(ghl_date_filter="wider")
    result = sweep_all(running, tmp_path)
    assert result.filter_verdict == "wider"
    assert result.sum_of_slices == 14
    assert result.whole
    assert sum(certificate.outside for certificate in result.certificates) >= 2


def test_a_filter_narrower_than_asked_spoils_every_certificate_and_names_both_numbers(
    sandbox: SandboxFactory, tmp_path: Path
) -> None:
    running = sandbox()
    hidden = order(1, "2026-10-31T12:00:00.000Z")
    running.put_state(ghl_state(orders=[hidden, *some_orders(5), *some_orders(5, "2026-09")]))
    running.switches(ghl_date_filter="narrower")
    result = sweep_all(running, tmp_path)
    assert result.filter_verdict == "narrower"
    assert not result.whole
    assert not any(certificate.complete for certificate in result.certificates)
    assert {certificate.reason for certificate in result.certificates} == {
        "date_filter_narrower: 10 rows found by month, 11 counted without a date filter"
    }


def test_rows_after_the_clock_and_before_a_long_gap_are_found(sandbox: SandboxFactory, tmp_path: Path) -> None:
    running = sandbox()
    running.put_state(ghl_state(orders=[
        order(1, "2027-02-01T00:00:00.000Z"), order(2, "2026-12-05T00:00:00.000Z"), *some_orders(3),
        order(3, "2024-02-29T23:59:59.999Z"),
    ]))  # fmt: skip
    result = sweep_all(running, tmp_path)
    assert result.sum_of_slices == 6
    assert result.whole
    assert result.certificates[0].month == date(2024, 2, 1)
    assert result.certificates[-1].month == date(2027, 2, 1)


def test_months_that_are_asked_for_are_the_months_that_are_read(sandbox: SandboxFactory, tmp_path: Path) -> None:
    running = sandbox()
    running.put_state(ghl_state(orders=[*some_orders(4), *some_orders(3, "2026-09")]))
    months = [date(2026, 9, 15), NOVEMBER]

    async def use(client: GhlClient) -> SweepResult:
        return await sweep(client, "orders", tmp_path, as_of=as_of(running), months=months)

    result = with_ghl(running, use)
    assert [certificate.month for certificate in result.certificates] == [date(2026, 9, 1), NOVEMBER]
    assert (result.sum_of_slices, result.unfiltered_total, result.filter_verdict) == (7, None, None)


def test_months_are_bounded_to_the_millisecond() -> None:
    assert month_bounds(date(2024, 2, 1)) == (
        datetime(2024, 2, 1, tzinfo=UTC),
        datetime(2024, 2, 29, 23, 59, 59, 999000, tzinfo=UTC),
    )
    assert month_bounds(date(2025, 12, 9))[1] == datetime(2025, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)


@pytest.mark.parametrize("shape", ["object", "array", "data"])
@pytest.mark.parametrize("status", [404, 400])
def test_details_come_as_plain_objects_whatever_their_wrapping_and_absent_ones_are_recorded(
    sandbox: SandboxFactory, tmp_path: Path, shape: str, status: int
) -> None:
    running = sandbox()
    running.put_state(ghl_state(orders=some_orders(12), transactions=[transaction(1, "2026-11-01T00:00:00.000Z")]))
    running.switches(ghl_detail_shape=shape, ghl_not_found=status)
    ids = [str(document["_id"]) for document in some_orders(12)]
    result = details(running, tmp_path / "x.zst", "order_details", [*ids, "f" * 24])
    assert (result.fetched, result.absent, result.failed, result.requests) == (12, ["f" * 24], {}, 13)
    lines = landed(tmp_path / "x.zst")
    assert [line["envelope"]["id"] for line in lines] == [*ids, "f" * 24]
    assert [line["body"] and line["body"]["_id"] for line in lines] == [*ids, None]
    assert lines[-1]["envelope"]["status"] == 404
    assert details(running, tmp_path / "x.zst", "transaction_details", ["a" + "1".zfill(23)]).fetched == 1


def test_fulfillments_and_providers_come_as_arrays(sandbox: SandboxFactory, tmp_path: Path) -> None:
    running = sandbox()
    number = some_orders(2)
    first, second = str(number[0]["_id"]), str(number[1]["_id"])
    fulfillment = {"_id": "f1", "trackings": [], "items": [], "createdAt": "2026-11-02T00:00:00.000Z"}
    provider = {"_id": "p1", "title": "One", "route": "one", "provider": "nmi"}
    running.put_state(ghl_state(orders=number, fulfillments={first: [fulfillment]}, providers=[provider]))
    assert details(running, tmp_path / "x.zst", "fulfillments", [first, second]).fetched == 2
    bodies = [line["body"] for line in landed(tmp_path / "x.zst")]
    assert [[item["_id"] for item in body] for body in bodies] == [["f1"], []]

    async def use(client: GhlClient) -> None:
        with LandingWriter(tmp_path / "p.zst") as landing:
            await fetch_providers(client, landing)

    with_ghl(running, use)
    (line,) = landed(tmp_path / "p.zst")
    assert [item["_id"] for item in line["body"]] == ["p1"]


def test_one_bad_document_fails_alone(sandbox: SandboxFactory, tmp_path: Path) -> None:
    running = sandbox()
    running.put_state(ghl_state(orders=some_orders(5)))
    ids = [str(document["_id"]) for document in some_orders(5)]
    running.fault("html", system="ghl", path=f".*{ids[2]}")
    result = details(running, tmp_path / "x.zst", "order_details", ids)
    assert result.fetched == 4
    assert list(result.failed) == [ids[2]]


def test_an_outage_ends_the_details_instead_of_failing_them_one_by_one(sandbox: SandboxFactory, tmp_path: Path) -> None:
    running = sandbox()
    running.fault("status", system="ghl", status=503)
    with pytest.raises(errors.Transient):
        details(running, tmp_path / "x.zst", "order_details", [f"{n:024x}" for n in range(200)])
    assert len(running.requests()) < 200


@pytest.mark.parametrize("stream", ["orders", "transaction_details", "subscriptions"])
def test_a_missing_scope_is_named_with_its_place_and_nothing_is_retried(
    sandbox: SandboxFactory, tmp_path: Path, stream: str
) -> None:
    running = sandbox()
    scope = ENDPOINTS[stream].scope
    running.fault("no_scope", system="ghl", scope=scope)

    def read() -> object:
        if stream.endswith("_details"):
            return details(running, tmp_path / "x.zst", stream, ["a" * 24])
        return sweep_all(running, tmp_path, stream)

    with pytest.raises(errors.MissingScope, match="Private Integrations") as caught:
        read()
    assert caught.value.scope == scope
    assert len(running.requests()) == 1


def test_a_bad_token_and_a_token_of_another_location_are_told_apart(sandbox: SandboxFactory, tmp_path: Path) -> None:
    running = sandbox()

    async def use(client: GhlClient) -> None:
        await client.list_page("orders", offset=0)

    with pytest.raises(errors.Unauthorised):
        with_ghl(running, use, token="pit-wrong")
    with pytest.raises(errors.Forbidden):
        with_ghl(running, use, token=running.ready["systems"]["ghl"]["locations"][1]["token"])


def test_a_detail_needs_an_id(sandbox: SandboxFactory) -> None:
    with pytest.raises(ValueError, match="record id"):
        with_ghl(sandbox(), lambda client: client.order(""))
