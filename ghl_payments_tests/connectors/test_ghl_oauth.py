"""Signing in to GHL with a marketplace app: refreshes, expiry, lost answers, agencies, and one refresh for all."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import msgspec
import pytest

from ghl_payments.connectors.ghl import kept_token
from ghl_payments.connectors.ghl.client import GhlClient
from ghl_payments.connectors.ghl.connect import connect_ghl
from ghl_payments.transport.errors import ApiError, MissingScope, Transient, Unauthorised, Unreachable
from ghl_payments_tests.conftest import SandboxFactory
from ghl_payments_tests.connectors.oauth_support import Shop, count, proxy, reader, shop, told
from ghl_payments_tests.sandbox.states import ghl_state, order

LOST = r"The answer to the token refresh of \d{4}-.* was lost.*Run: ghl-payments connect --location "


def one_order(sandbox: SandboxFactory, folder: Path, **how: str) -> Shop:
    """A connected shop whose first location has one order."""
    running = sandbox()
    state = ghl_state(orders=[order(1, "2026-10-01T00:00:00.000Z")])
    state["ghl"]["locations"].append({})
    running.put_state(state)
    installed = shop(running, folder, **how)
    installed.connect()
    return installed


@pytest.fixture
def installed(sandbox: SandboxFactory, tmp_path: Path) -> Shop:
    """A connected location with one order."""
    return one_order(sandbox, tmp_path)


def seen(installed: Shop, since: int = 0) -> list[tuple[str, int]]:
    return [(row["path"].rpartition("/")[2], row["status"]) for row in installed.sandbox.requests()[since:]]


def test_a_code_gives_tokens_with_which_the_location_is_read(installed: Shop) -> None:
    assert installed.rows() == 1
    assert installed.token.account["locationId"] == installed.location_id
    assert seen(installed)[-2:] == [("token", 200), ("orders", 200)]


def test_a_token_near_its_end_is_replaced_before_it_is_used(installed: Shop) -> None:
    old = installed.age(600)
    assert installed.rows() == 1
    new = installed.token
    assert new.access_token != old.access_token
    assert new.refresh_token != old.refresh_token
    assert new.refresh_begun is None
    assert installed.refreshes() == 2
    assert installed.rows() == 1
    assert installed.refreshes() == 2


def test_a_token_that_is_refused_is_replaced_once_and_the_request_repeated(installed: Shop) -> None:
    before = len(installed.sandbox.requests())
    installed.sandbox.fault("expire_tokens", system="ghl")
    assert installed.rows() == 1
    assert seen(installed, before) == [("orders", 401), ("token", 200), ("orders", 200)]


def test_refresh_tokens_rotate_through_many_refreshes(installed: Shop) -> None:
    used = {installed.token.refresh_token}
    for _ in range(5):
        installed.age(-5)
        assert installed.rows() == 1
        used.add(installed.token.refresh_token)
    assert len(used) == 6


def test_many_tasks_whose_token_is_refused_share_one_refresh(installed: Shop) -> None:
    async def all_at_once(client: GhlClient) -> list[int | None]:
        await count(client)
        installed.sandbox.fault("expire_tokens", system="ghl")
        return list(await asyncio.gather(*(count(client) for _ in range(20))))

    assert installed.use(all_at_once) == [1] * 20
    assert installed.refreshes() == 2


def test_trap_33_two_processes_that_refresh_at_once_send_one_refresh_and_both_read_on(
    sandbox: SandboxFactory, tmp_path: Path
) -> None:
    installed = one_order(sandbox, tmp_path)
    installed.age(-5)
    # Both are on their way before the first answer comes.
    installed.sandbox.fault("latency", system="ghl", path="/oauth/token", seconds=3.0)

    async def both() -> list[object]:
        processes = [await reader(installed), await reader(installed)]
        return [await told(process) for process in processes]

    assert asyncio.run(both()) == [{"rows": 1}, {"rows": 1}]
    assert installed.refreshes() == 2


def test_trap_33_many_clients_of_one_process_send_one_refresh_too(installed: Shop) -> None:
    installed.age(-5)

    async def together() -> list[int | None]:
        return list(await asyncio.gather(*(installed.with_client(count) for _ in range(5))))

    assert asyncio.run(together()) == [1] * 5
    assert installed.refreshes() == 2


def test_a_lost_answer_is_asked_for_once_more_and_then_only_a_new_consent_helps(installed: Shop) -> None:
    installed.age(-5)
    installed.sandbox.fault("lost_reply", system="ghl", path="/oauth/token", times=1)
    with pytest.raises(Unauthorised, match=LOST):
        installed.rows()
    assert installed.refreshes() == 3
    with pytest.raises(Unauthorised, match=LOST):
        installed.rows()
    installed.connect()
    assert installed.rows() == 1


def test_a_lost_answer_does_no_harm_where_the_vendor_takes_the_old_token_once_more(installed: Shop) -> None:
    installed.sandbox.switches(ghl_refresh_grace_seconds=60)
    installed.age(-5)
    installed.sandbox.fault("lost_reply", system="ghl", path="/oauth/token", times=1)
    assert installed.rows() == 1
    assert installed.token.refresh_begun is None


def test_a_refresh_that_failed_without_having_been_applied_is_repeated(installed: Shop) -> None:
    installed.age(-5)
    installed.sandbox.fault("status", status=503, system="ghl", path="/oauth/token", times=1)
    assert installed.rows() == 1
    installed.age(-5)
    installed.sandbox.fault("status", status=503, system="ghl", path="/oauth/token", times=2)
    with pytest.raises(Transient, match="uses the same refresh token once more"):
        installed.rows()
    assert installed.rows() == 1


def test_while_the_old_token_lasts_a_failing_refresh_holds_nothing_up(
    installed: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    old = installed.age(600)
    installed.sandbox.fault("lost_reply", system="ghl", path="/oauth/token", times=2)

    async def thrice(client: GhlClient) -> list[int | None]:
        return [await count(client) for _ in range(3)]

    with caplog.at_level(logging.WARNING, logger="ghl_payments"):
        assert installed.use(thrice) == [1, 1, 1]
    assert installed.refreshes() == 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert old.access_token not in caplog.text
    assert str(old.refresh_token) not in caplog.text


def test_a_wrong_secret_is_told_without_blaming_a_lost_answer_and_spoils_nothing(
    installed: Shop, tmp_path: Path
) -> None:
    installed.age(-5)
    wrong = shop(installed.sandbox, tmp_path, GHL_CLIENT_SECRET="wrong-secret")
    with pytest.raises(Unauthorised, match="client id or secret are not the app's") as caught:
        wrong.rows()
    assert "lost" not in str(caught.value)
    assert "wrong-secret" not in str(caught.value)
    assert installed.rows() == 1


def test_a_401_that_a_new_token_does_not_cure_costs_one_refresh_a_minute(installed: Shop) -> None:
    body = {"statusCode": 401, "message": "Invalid JWT"}
    installed.sandbox.fault("status", status=401, system="ghl", path="/payments/.*", body=body)

    async def often(client: GhlClient) -> int:
        failed = 0
        for _ in range(5):
            try:
                await count(client)
            except Unauthorised:
                failed += 1
        return failed

    assert installed.use(often) == 5
    assert installed.refreshes() == 2


def test_a_missing_scope_is_no_reason_to_refresh_and_names_the_app(installed: Shop) -> None:
    installed.sandbox.fault("no_scope", system="ghl", scope="payments/orders.readonly")
    with pytest.raises(MissingScope, match="add it to a new version of the marketplace app"):
        installed.rows()
    assert installed.refreshes() == 1


def test_a_location_that_is_not_connected_names_the_command_and_sends_nothing(
    sandbox: SandboxFactory, tmp_path: Path
) -> None:
    installed = shop(sandbox(), tmp_path)
    with pytest.raises(Unauthorised, match=f"Run: ghl-payments connect --location {installed.location_id}"):
        installed.rows()
    assert installed.sandbox.requests() == []


def test_tokens_of_another_app_are_not_sent_anywhere(installed: Shop, tmp_path: Path) -> None:
    before = len(installed.sandbox.requests())
    other = shop(installed.sandbox, tmp_path, GHL_CLIENT_ID="another-app")
    with pytest.raises(Unauthorised, match="of another app, host or user_type"):
        other.rows()
    assert len(installed.sandbox.requests()) == before


def test_without_a_connection_nothing_is_taken_for_lost(installed: Shop) -> None:
    installed.age(-5)
    installed.sandbox.stop()
    with pytest.raises(Unreachable):
        installed.rows()
    assert installed.token.refresh_begun is None


def test_a_request_that_is_given_up_during_a_refresh_still_stores_the_new_pair(
    sandbox: SandboxFactory, tmp_path: Path
) -> None:
    installed = one_order(sandbox, tmp_path)
    old = installed.age(-5)
    installed.sandbox.fault("latency", system="ghl", path="/oauth/token", seconds=1.0, when="after")

    async def impatient(client: GhlClient) -> None:
        async with asyncio.timeout(0.3):
            await count(client)

    with pytest.raises(TimeoutError):
        installed.use(impatient)
    assert installed.token.refresh_token != old.refresh_token
    assert installed.rows() == 1


def test_a_token_file_that_others_may_read_stops_the_sign_in_with_the_remedy(installed: Shop) -> None:
    installed.path.chmod(0o640)
    with pytest.raises(Unauthorised, match=f"chmod 600 {installed.path}"):
        installed.rows()


def test_an_agencys_token_reads_all_of_its_locations_with_one_pair(sandbox: SandboxFactory, tmp_path: Path) -> None:
    installed = one_order(sandbox, tmp_path, user_type="Company")
    assert installed.rows() == 1
    assert installed.rows(1) == 0
    assert installed.refreshes() == 1
    assert [path for path, _ in seen(installed)].count("locationToken") == 2
    place = installed.store.get(f"ghl/{installed.location_id}")
    assert place is not None
    assert place.refresh_token is None


def test_a_locations_token_that_is_refused_is_had_anew_from_the_agency(sandbox: SandboxFactory, tmp_path: Path) -> None:
    installed = one_order(sandbox, tmp_path, user_type="Company")
    before = len(installed.sandbox.requests())
    installed.sandbox.fault("expire_tokens", system="ghl")
    assert installed.rows() == 1
    assert seen(installed, before) == [
        ("orders", 401), ("locationToken", 401), ("token", 200), ("locationToken", 201), ("orders", 200),
    ]  # fmt: skip


def test_two_locations_of_an_agency_share_its_refresh(sandbox: SandboxFactory, tmp_path: Path) -> None:
    installed = one_order(sandbox, tmp_path, user_type="Company")
    installed.rows(1)
    for key in ("ghl/agency", *(f"ghl/{installed.sandbox.location_id(n)}" for n in (0, 1))):
        installed.age(-5, key)

    async def both() -> list[int | None]:
        return list(await asyncio.gather(*(installed.with_client(count, n) for n in (0, 1))))

    assert asyncio.run(both()) == [1, 0]
    assert installed.refreshes() == 2


def test_a_lost_answer_for_a_location_token_is_simply_asked_for_again(sandbox: SandboxFactory, tmp_path: Path) -> None:
    installed = one_order(sandbox, tmp_path, user_type="Company")
    installed.age(-5, f"ghl/{installed.location_id}")
    installed.sandbox.fault("lost_reply", system="ghl", path="/oauth/locationToken", times=1)
    assert installed.rows() == 1
    assert installed.refreshes() == 1


def test_an_agency_app_without_its_scope_says_which(sandbox: SandboxFactory, tmp_path: Path) -> None:
    installed = one_order(sandbox, tmp_path, user_type="Company")
    installed.age(-5, f"ghl/{installed.location_id}")
    installed.sandbox.fault("no_scope", system="ghl", scope="oauth.write")
    with pytest.raises(MissingScope, match=r"lacks the scope oauth\.write"):
        installed.rows()


def test_no_representation_and_no_failure_shows_a_secret(installed: Shop) -> None:
    old = installed.age(-5)
    installed.sandbox.fault("lost_reply", system="ghl", path="/oauth/token", times=1)
    with pytest.raises(ApiError) as caught:
        installed.rows()
    settings = installed.settings
    client = connect_ghl(settings, settings.locations[0])
    shown = [repr(old), str(old), repr(caught.value), repr(installed.store), repr(settings), repr(client)]
    secrets = [old.access_token, str(old.refresh_token), *(installed.env[name] for name in ("GHL_CLIENT_SECRET",))]
    assert not [secret for secret in secrets for text in shown if secret in text]
    asyncio.run(client.aclose())


async def killed(process: asyncio.subprocess.Process) -> None:
    assert process.returncode is None
    process.kill()
    await process.wait()


@pytest.mark.parametrize("grace", [0, 60])
def test_a_kill_before_the_request_arrives_leaves_the_old_pair_working(
    sandbox: SandboxFactory, tmp_path: Path, grace: int
) -> None:
    running = sandbox()
    running.switches(ghl_refresh_grace_seconds=grace)

    async def story() -> dict[str, object]:
        async with proxy(running) as between:
            installed = shop(running, tmp_path, base_url=between.base_url)
            await asyncio.to_thread(installed.connect)
            installed.age(-5)
            gate = between.shut("/oauth/token", answers=False)
            process = await reader(installed)
            await asyncio.wait_for(gate.reached.wait(), 30)
            await killed(process)
            between.gate = None
            return await told(await reader(installed))

    assert asyncio.run(story()) == {"rows": 0}


def test_a_kill_while_waiting_for_ones_turn_leaves_everything_working(installed: Shop) -> None:
    installed.age(-5)

    async def story() -> dict[str, object]:
        async with installed.store.turn(installed.key):
            process = await reader(installed)
            await asyncio.sleep(2.0)
            await killed(process)
        return await told(await reader(installed))

    assert asyncio.run(story()) == {"rows": 1}
    assert installed.refreshes() == 2


@pytest.mark.parametrize("grace", [0, 60])
@pytest.mark.parametrize("place", ["before the answer arrives", "before it is stored"])
def test_a_kill_between_the_answer_and_its_storing_is_survived_or_explained(
    sandbox: SandboxFactory, tmp_path: Path, grace: int, place: str
) -> None:
    running = sandbox()
    running.switches(ghl_refresh_grace_seconds=grace)

    async def story() -> tuple[Shop, dict[str, object]]:
        async with proxy(running) as between:
            installed = shop(running, tmp_path, base_url=between.base_url)
            await asyncio.to_thread(installed.connect)
            old = installed.age(-5)
            gate = between.shut("/oauth/token", answers=True)
            process = await reader(installed)
            await asyncio.wait_for(gate.reached.wait(), 30)
            if place == "before it is stored":
                with installed.store.held():  # so that it has the answer and cannot write it down
                    gate.opened.set()
                    await gate.passed.wait()
                    await asyncio.sleep(0.5)
                    await killed(process)
            else:
                await killed(process)
            assert installed.token.refresh_token == old.refresh_token
            assert installed.token.refresh_begun is not None
            between.gate = None
            answer = await told(await reader(installed))
            if grace == 0:
                await asyncio.to_thread(installed.connect)
                assert await told(await reader(installed)) == {"rows": 0}
            return installed, answer

    installed, answer = asyncio.run(story())
    if grace:
        assert answer == {"rows": 0}
    else:
        assert answer["error"] == "Unauthorised"
        assert f"Run: ghl-payments connect --location {installed.location_id}" in str(answer["text"])
        assert "lost" in str(answer["text"])


def test_a_new_pair_is_in_the_file_before_its_token_is_used_so_a_kill_then_loses_nothing(
    sandbox: SandboxFactory, tmp_path: Path
) -> None:
    running = sandbox()

    async def story() -> dict[str, object]:
        async with proxy(running) as between:
            installed = shop(running, tmp_path, base_url=between.base_url)
            await asyncio.to_thread(installed.connect)
            old = installed.age(-5)
            gate = between.shut("/payments/orders", answers=False)
            process = await reader(installed)
            await asyncio.wait_for(gate.reached.wait(), 30)
            assert between.server is not None
            used = between.server.seen[-1].headers["authorization"]
            assert used == f"Bearer {installed.token.access_token}"
            assert used != f"Bearer {old.access_token}"
            await killed(process)
            between.gate = None
            refreshes = installed.refreshes()
            answer = await told(await reader(installed))
            assert installed.refreshes() == refreshes
            return answer

    assert asyncio.run(story()) == {"rows": 0}


def test_a_token_is_replaced_an_hour_early_or_after_nine_tenths_of_a_shorter_life(installed: Shop) -> None:
    now = installed.token.obtained_at
    long = msgspec.structs.replace(installed.token, obtained_at=now - 86_400 + 3_500, expires_at=now + 3_500)
    short = msgspec.structs.replace(installed.token, obtained_at=now - 80, expires_at=now + 20)
    assert kept_token.is_due(long)
    assert not kept_token.is_due(short)
    assert kept_token.is_due(msgspec.structs.replace(short, expires_at=now + 5))
