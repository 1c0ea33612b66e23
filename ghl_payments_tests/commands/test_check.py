"""`ghl-payments check`: what it finds, which remedy it gives, and that it never shows a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from ghl_payments.commands.check import Finding, report, run_check
from ghl_payments.domain.sandbox_identity import sandbox_identity, sandbox_targets
from ghl_payments.settings import Settings, load_settings
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.running_sandbox import RunningSandbox


def settings_of(sandbox: RunningSandbox, **values: str) -> Settings:
    return load_settings(sandbox.env | values)


def failed(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.state == "failed"]


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


def test_a_sandbox_is_fine_in_every_respect(sandbox: SandboxFactory) -> None:
    running = sandbox(orders=60)
    findings = run_check(settings_of(running))
    assert {finding.state for finding in findings} == {"ok"}
    what = " ".join(finding.what for finding in findings)
    for name in ("settings", "warehouse", "payments/transactions.readonly", "halo invoice_payment", "halo clock"):
        assert name in what
    assert not (Path(running.env["GHL_PAYMENTS_WAREHOUSE"])).exists()


def test_nothing_is_written_by_looking(sandbox: SandboxFactory) -> None:
    running = sandbox(orders=60)
    run_check(settings_of(running))
    assert running.effects() == []
    assert {request["method"] for request in running.requests() if "/auth/token" not in request["path"]} == {"GET"}


def test_a_missing_scope_is_named_with_the_place_to_tick_it_and_the_other_streams_are_still_looked_at(
    sandbox: SandboxFactory,
) -> None:
    running = sandbox(orders=60)
    running.fault("no_scope", scope="payments/subscriptions.readonly")
    findings = failed(run_check(settings_of(running)))
    assert [finding.what.split()[2] for finding in findings] == ["subscriptions", "subscriptions"]
    assert all("payments/subscriptions.readonly" in (finding.remedy or "") for finding in findings)
    assert all("Private Integrations" in (finding.remedy or "") for finding in findings)


def test_a_wrong_token_ends_the_look_at_its_location_only(sandbox: SandboxFactory) -> None:
    running = sandbox(orders=60)
    findings = run_check(settings_of(running, GHL_TOKEN_1="pit-wrong"))
    assert only(failed(findings)).what == f"ghl {running.location_id(0)} access"
    assert sum(finding.what.startswith(f"ghl {running.location_id(1)}") for finding in findings) == 5


def test_a_wrong_halo_secret_is_told_as_such_and_not_shown(sandbox: SandboxFactory) -> None:
    findings = run_check(settings_of(sandbox(orders=60), HALO_CLIENT_SECRET="wrong-secret"))
    finding = only(failed(findings))
    assert (finding.what, "client id or secret" in (finding.remedy or "")) == ("halo access", True)
    assert "wrong-secret" not in report(findings)


def test_a_credential_that_is_not_set_names_its_variable(sandbox: SandboxFactory) -> None:
    findings = failed(run_check(settings_of(sandbox(), GHL_TOKEN_2="", HALO_CLIENT_ID="")))
    assert ["GHL_TOKEN_2" in str(findings[0].remedy), "HALO_CLIENT_ID" in str(findings[1].remedy)] == [True, True]


def test_a_system_that_does_not_answer_is_told_once_with_how_to_start_the_sandbox(sandbox: SandboxFactory) -> None:
    running = sandbox()
    settings = settings_of(running)
    running.stop()
    findings = failed(run_check(settings))
    assert len(findings) == 2 + len(sandbox_targets(sandbox_identity()))
    assert all("ghl-payments sandbox" in (finding.remedy or "") for finding in findings)


def test_an_empty_list_of_a_target_is_a_warning_because_it_may_be_a_missing_right(sandbox: SandboxFactory) -> None:
    running = sandbox(orders=60)
    running.fault("empty_list", system="halo", path="/api/Invoice")
    finding = only([finding for finding in run_check(settings_of(running)) if finding.state != "ok"])
    assert (finding.what, finding.state) == ("halo invoice", "warning")


def test_an_answer_of_another_shape_is_told_per_record_type(sandbox: SandboxFactory) -> None:
    running = sandbox(orders=60)
    running.fault("status", system="halo", path="/api/SalesOrder", status=403)
    assert only(failed(run_check(settings_of(running)))).what == "halo sales_order"


def test_a_clock_that_is_an_hour_off_is_a_warning(sandbox: SandboxFactory, tmp_path: Path) -> None:
    running = sandbox(orders=60)
    path = Path(running.env["GHL_PAYMENTS_CONNECTIONS"])
    with server_with_clock("Mon, 16 Nov 2020 12:00:00 GMT") as base_url:
        text = path.read_text(encoding="utf-8").replace(running.ready["systems"]["ghl"]["base_url"], base_url)
        path.write_text(text, encoding="utf-8")
        warned = [finding for finding in run_check(settings_of(running)) if finding.state == "warning"]
    assert {finding.what.split()[-1] for finding in warned} == {"clock"}
    assert len(warned) >= 2
    assert all("behind this machine's" in finding.detail for finding in warned)


def test_a_warehouse_in_use_is_a_warning_and_a_broken_one_a_failure(sandbox: SandboxFactory) -> None:
    settings = settings_of(sandbox(orders=60))
    with Warehouse(settings.warehouse).open():
        assert state_of_warehouse(settings) == "warning"
    assert state_of_warehouse(settings) == "ok"
    settings.warehouse.write_bytes(b"not a database" * 1000)
    assert state_of_warehouse(settings) == "failed"


def test_a_report_lists_remedies_below_its_table() -> None:
    text = report([Finding("this", "ok", "fine"), Finding("that", "failed", "broken", "Mend it.")])
    assert text.index("broken") < text.index("Mend it.")
    assert json.dumps(text).count("this") == 1


def state_of_warehouse(settings: Settings) -> str:
    return only([finding for finding in run_check(settings) if finding.what == "warehouse"]).state


@contextmanager
def server_with_clock(date: str) -> Iterator[str]:
    """GHL's lists, empty, from a server that thinks it is `date`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"data": [], "totalCount": 0, "providers": []}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return date

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
