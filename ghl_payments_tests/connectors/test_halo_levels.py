"""What a Halo tenant can be asked for is found out by probes that only a tenant that honours a parameter passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ghl_payments.connectors.base import Level
from ghl_payments.connectors.halo.connector import HaloConnector
from ghl_payments.connectors.halo.levels import CAPABILITIES, FILTERS
from ghl_payments.transport import errors
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.support import with_halo
from ghl_payments_tests.connectors.test_halo_connector import PLACE, create, invoice, payment, sales_order
from ghl_payments_tests.running_sandbox import RunningSandbox
from ghl_payments_tests.sandbox.states import halo_state

ALL_FILTERS = dict.fromkeys(FILTERS, "filter")


def probed(sandbox: RunningSandbox, *, may_write: bool = False) -> dict[str, Level]:
    return with_halo(sandbox, lambda halo: halo.probe_levels(may_write=may_write))


def levels(sandbox: RunningSandbox, *, may_write: bool = False) -> dict[str, str]:
    return {name: level.level for name, level in probed(sandbox, may_write=may_write).items()}


@pytest.fixture
def tenant(sandbox: SandboxFactory) -> RunningSandbox:
    """Halo with an order, an invoice and a payment of ours."""
    running = sandbox()
    running.put_state(halo_state())
    create(running, sales_order())
    bill = create(running, invoice()).native_id
    create(running, payment(bill))
    return running


def test_a_tenant_that_honours_every_parameter_is_at_the_best_levels_without_a_write(tenant: RunningSandbox) -> None:
    before = tenant.effects()
    assert levels(tenant) == {name: options[0] for name, options in CAPABILITIES.items()}
    assert tenant.effects() == before


@pytest.mark.parametrize(
    ("ignored", "capability"),
    [(["third_party_id"], "external_link_filter"), (["third_party_id"], "invoice_filter"),
     (["intent_id"], "payment_filter"), (["search"], "order_search"), (["datesearch"], "invoice_changes")],
)  # fmt: skip
def test_a_parameter_that_a_tenant_ignores_is_found_out_and_not_trusted(
    tenant: RunningSandbox, ignored: list[str], capability: str
) -> None:
    tenant.switches(halo_ignored_filters=ignored)
    found = probed(tenant)[capability]
    assert found.level == "scan"
    assert "ignores" in found.evidence


def test_the_spelling_of_a_date_bound_is_found_out(tenant: RunningSandbox) -> None:
    tenant.switches(halo_ignored_filters=["startdate"])
    assert levels(tenant)["invoice_changes"] == "start_date"


def test_a_filter_that_answers_nothing_at_all_is_not_trusted_either(tenant: RunningSandbox) -> None:
    """It passes the nonsense value, and would have every record made twice."""
    tenant.fault("empty_list", system="halo", path="/api/invoice")
    tenant.fault("empty_list", system="halo", path="/api/externallink")
    found = probed(tenant)
    assert {found[name].level for name in ("invoice_filter", "external_link_filter", "invoice_changes")} == {"scan"}


def test_an_empty_tenant_says_nothing_about_its_filters(sandbox: SandboxFactory) -> None:
    running = sandbox()
    running.put_state(halo_state())
    assert set(levels(running).values()) == {"scan"}
    assert running.effects() == []


def test_a_tenant_without_cross_references_is_given_one_for_a_moment_when_writing_is_allowed(
    sandbox: SandboxFactory,
) -> None:
    running = sandbox()
    running.put_state(halo_state())
    assert levels(running, may_write=True)["external_link_filter"] == "filter"
    assert [effect["method"] for effect in running.effects()] == ["POST", "DELETE"]
    assert not running.effects()[0]["body"]["third_party_id"].startswith("ghl:")
    assert running.state()["halo"]["ExternalLink"] == []


def test_a_trial_cross_reference_that_cannot_be_made_is_named(sandbox: SandboxFactory) -> None:
    running = sandbox()
    running.put_state(halo_state())
    running.fault("status", system="halo", method="POST", path="/api/externallink", status=400)
    found = probed(running, may_write=True)["external_link_filter"]
    assert found.level == "scan"
    assert "could not be made (400)" in found.evidence


@pytest.mark.parametrize("fault", ["lost_reply", "status_after_commit"])
def test_a_trial_whose_answer_is_lost_is_not_repeated_and_says_what_may_be_left(
    sandbox: SandboxFactory, fault: str
) -> None:
    running = sandbox()
    running.put_state(halo_state())
    running.fault(fault, system="halo", method="POST", path="/api/externallink", times=1)
    evidence = probed(running, may_write=True)["external_link_filter"].evidence
    (link,) = running.state()["halo"]["ExternalLink"]
    assert link["third_party_id"] in evidence


def test_what_cannot_be_probed_for_now_is_left_out(tenant: RunningSandbox) -> None:
    tenant.fault("html", system="halo", path="/api/invoicepayment")
    assert set(CAPABILITIES) - set(levels(tenant)) == {"payment_filter"}


def test_a_missing_right_is_an_error(tenant: RunningSandbox) -> None:
    tenant.fault("no_scope", system="halo", scope="read:invoices")
    with pytest.raises(errors.Forbidden):
        probed(tenant)


@pytest.mark.parametrize("in_force", [{}, ALL_FILTERS], ids=["scan", "filter"])
@pytest.mark.parametrize("ignored", [[], ["third_party_id", "intent_id", "search"]], ids=["honoured", "ignored"])
def test_every_level_finds_the_same_records(
    tenant: RunningSandbox, tmp_path: Path, in_force: dict[str, str], ignored: list[str]
) -> None:
    tenant.switches(halo_ignored_filters=ignored)

    async def use(halo: HaloConnector) -> list[list[str]]:
        halo.use_levels(in_force)
        keys = {"sales_order": "ghl:order:O1", "invoice": "ghl:order:O1", "invoice_payment": "ghl:txn:T1"}
        return [await halo.find(name, key, PLACE, tmp_path / "x.zst") for name, key in keys.items()]

    assert with_halo(tenant, use) == [["1"], ["1"], ["1"]]


def test_a_filter_is_sent_at_its_level_only(tenant: RunningSandbox, tmp_path: Path) -> None:
    def asked(in_force: dict[str, str]) -> set[str]:
        async def use(halo: HaloConnector) -> Any:
            halo.use_levels(in_force)
            return await halo.find("invoice_payment", "ghl:txn:T1", PLACE, tmp_path / "x.zst")

        before = len(tenant.requests())
        with_halo(tenant, use)
        return {row["query"] for row in tenant.requests()[before:] if row["path"].lower() == "/api/invoicepayment"}

    assert any("intent_id" in query for query in asked(ALL_FILTERS))
    assert not any("intent_id" in query for query in asked({}))
