"""The sandbox's identity follows from its seed and opens nothing else."""

from __future__ import annotations

from dataclasses import asdict
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from ghl_payments.domain.sandbox_identity import DEFAULT_SEED, sandbox_identity


@given(seed=st.integers())
def test_the_same_seed_gives_the_same_identity(seed: int) -> None:
    assert sandbox_identity(seed) == sandbox_identity(seed)


@given(first=st.integers(), second=st.integers())
def test_seeds_share_no_credential(first: int, second: int) -> None:
    if first != second:
        mine, other = asdict(sandbox_identity(first)), asdict(sandbox_identity(second))
        assert not {value for value in mine.values() if isinstance(value, str)} & set(map(str, other.values()))
        assert not {place["id"] for place in mine["locations"]} & {place["id"] for place in other["locations"]}
        assert not {place["token"] for place in mine["locations"]} & {place["token"] for place in other["locations"]}


def test_two_locations_stand_in_two_time_zones() -> None:
    places = sandbox_identity().locations
    assert len({place.id for place in places}) == len({ZoneInfo(place.timezone) for place in places}) == 2
    assert all(len(place.id) == 20 and place.id.isalnum() and place.id.isascii() for place in places)


def test_the_default_identity_never_changes() -> None:
    who = sandbox_identity()
    assert who == sandbox_identity(DEFAULT_SEED)
    assert (who.halo_tenant, who.locations[0].id) == ("sandbox7", sandbox_identity(7).locations[0].id)
