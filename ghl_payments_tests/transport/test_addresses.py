"""Where requests may go when a person gave the address."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address
from typing import Any

import pytest

from ghl_payments.transport.addresses import AddressGuard, RefusedAddress
from ghl_payments.transport.budget import RateBudget
from ghl_payments.transport.errors import AddressRefused, Unreachable
from ghl_payments.transport.http import HttpClient
from ghl_payments.transport.retry import RetryPolicy

OWN = [
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fc00::1", "fd12::1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
    "2002:a00:1::1",
]  # fmt: skip
NEVER = [
    "127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1",
    "0.0.0.0", "0.1.2.3", "::",  # noqa: S104 - nothing is bound
    "::ffff:0.0.0.0", "169.254.1.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.1.1",
    "::a00:1", "::7f00:1", "::5db8:d822", "fec0::1", "feff::1", "224.0.0.1", "ff02::1", "ff0e::1", "240.0.0.1",
    "255.255.255.255", "192.0.2.1", "198.18.0.1", "2001:db8::1",
]  # fmt: skip
METADATA = ["169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254", "::ffff:169.254.169.254"]


def choose(scheme: str, host: str, *resolved: str, allow_private: bool = False) -> str:
    """What the guard says of a name that leads to these addresses."""

    async def main() -> str:
        async def lookup(name: str, port: int, **_: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in resolved or (name,)]

        asyncio.get_running_loop().getaddrinfo = lookup  # type: ignore[method-assign]
        return await AddressGuard(allow_private=allow_private).choose(scheme, host, 443)

    return asyncio.run(main())


@pytest.mark.parametrize("address", OWN)
def test_a_name_that_leads_into_a_private_network_is_refused_unless_that_is_permitted(address: str) -> None:
    with pytest.raises(RefusedAddress, match="allow_private: true"):
        choose("https", "receiver.example.com", address)
    assert choose("https", "receiver.example.com", address, allow_private=True) == str(ip_address(address))


@pytest.mark.parametrize("address", NEVER)
def test_this_machine_its_link_and_what_is_reserved_are_refused_whatever_is_permitted(address: str) -> None:
    for permitted in (False, True):
        with pytest.raises(RefusedAddress, match="nothing permits that") as caught:
            choose("https", "receiver.example.com", address, allow_private=permitted)
        assert "allow_private" not in str(caught.value), "it would not help"


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_public_addresses_are_permitted(address: str) -> None:
    assert choose("https", "receiver.example.com", address) == str(ip_address(address))


@pytest.mark.parametrize("address", METADATA)
def test_where_clouds_keep_their_secrets_nothing_is_ever_sent(address: str) -> None:
    for permitted in (False, True):
        with pytest.raises(RefusedAddress, match="clouds keep secrets"):
            choose("https", "receiver.example.com", address, allow_private=permitted)


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(RefusedAddress):
        choose("https", "receiver.example.com", "93.184.216.34", "10.0.0.1")
    with pytest.raises(RefusedAddress):
        choose("https", "receiver.example.com", "10.0.0.1", "127.0.0.1", allow_private=True)


def test_a_name_may_not_lead_to_this_machine_but_loopback_may_be_named() -> None:
    with pytest.raises(RefusedAddress):
        choose("https", "receiver.example.com", "127.0.0.1")
    for host in ("127.0.0.1", "localhost", "::1"):
        assert choose("http", host)
        assert choose("https", host)


def test_plain_http_is_for_loopback_only() -> None:
    with pytest.raises(RefusedAddress, match="Only https"):
        choose("http", "receiver.example.com", "93.184.216.34")
    assert choose("https", "receiver.example.com", "93.184.216.34") == "93.184.216.34"


def client(base_url: str) -> HttpClient:
    budget = RateBudget(None, host="h", credential="c", limit=None, window_seconds=1)
    return HttpClient("rankr", base_url, None, budget, guard=AddressGuard(), retry=RetryPolicy(tries=1))


def test_a_client_with_a_guard_refuses_before_it_connects_and_says_why() -> None:
    async def main() -> None:
        http = client("https://192.168.7.7")
        try:
            with pytest.raises(AddressRefused, match="a private address"):
                await http.read("/x", lambda response: response)
        finally:
            await http.aclose()

    asyncio.run(main())


def test_a_name_that_does_not_exist_is_no_connection() -> None:
    async def main() -> None:
        async def lookup(*_: Any, **__: Any) -> list[Any]:
            raise socket.gaierror

        http = client("https://receiver.invalid")
        asyncio.get_running_loop().getaddrinfo = lookup  # type: ignore[method-assign]
        try:
            with pytest.raises(Unreachable):
                await http.read("/x", lambda response: response)
        finally:
            await http.aclose()

    asyncio.run(main())
