"""Which addresses a request may go to when its URL comes from a person: public ones, judged once the name is resolved.

Add a network when a cloud keeps something of its own at an address that looks public. The wire is in `exchange.py`.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

METADATA = tuple(
    map(ip_network, ("169.254.169.254/32", "168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32",
                     "fd00:ec2::254/128", "fd20:ce::254/128"))
)  # fmt: skip
"""Where clouds tell a machine its own secrets; nobody's receiver stands there."""

OWN = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))
"""Networks of one's own: what `allow_private` permits, and nothing else that is not public."""

_FORMER = tuple(map(ip_network, ("::/96", "fec0::/10")))
"""Given up long ago, and still told as public by Python: compatible IPv4 addresses and site-local ones."""

_NAT64 = ip_network("64:ff9b::/96")


class RefusedAddress(Exception):
    """The URL leads to where no request may go; the text says why, and what a person can do."""


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Says where a request may connect to. `allow_private` permits the networks in `OWN`, for a receiver there.

    Plain http is for loopback only, and loopback only where the URL itself names it: a name may not lead there. Nothing
    permits link-local, unspecified, multicast and reserved addresses, nor those at which clouds keep secrets.
    """

    allow_private: bool = False

    async def choose(self, scheme: str, host: str, port: int) -> str:
        """The address to connect to. RefusedAddress if one of the name is not permitted, OSError if it has none."""
        if _is_own_name(host):
            return "127.0.0.1" if host == "localhost" else host
        if scheme != "https":
            msg = "Only https is used, but for loopback; give an https address."
            raise RefusedAddress(msg)
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ip_address(str(row[4][0]).partition("%")[0]) for row in found]
        for address in addresses:
            self.check(address)
        return str(addresses[0])

    def check(self, address: Address) -> None:
        """RefusedAddress unless a request may go to this address."""
        inside = _inside(address)
        # A mapped address is the IPv4 address; the others are of a network of their own too.
        stands_for = inside if _is_mapped(address) else [address, *inside]
        if any(inner in network for inner in stands_for for network in METADATA):
            msg = "Its name leads to an address at which clouds keep secrets; give another address."
            raise RefusedAddress(msg)
        if not all(_is_public(inner) or _is_own(inner) for inner in stands_for):
            msg = (
                "Its name leads to this machine, its link, or a reserved address, and nothing permits that; give an "
                "address of the receiver that other machines reach it by, or for this machine http://127.0.0.1:PORT."
            )
            raise RefusedAddress(msg)
        if not self.allow_private and any(_is_own(inner) for inner in stands_for):
            msg = (
                "Its name leads to a private address. If the receiver does stand in a network of your own, set "
                "`options.allow_private: true` on the connection."
            )
            raise RefusedAddress(msg)


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast and not any(address in network for network in _FORMER)


def _is_own(address: Address) -> bool:
    return any(address in network for network in OWN)


def _is_mapped(address: Address) -> bool:
    return isinstance(address, IPv6Address) and address.ipv4_mapped is not None


def _is_own_name(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _inside(address: Address) -> list[Address]:
    """IPv4 addresses that an IPv6 address stands for."""
    if not isinstance(address, IPv6Address):
        return []
    found: list[Address] = [inner for inner in (address.ipv4_mapped, address.sixtofour) if inner is not None]
    if address.teredo is not None:
        found.append(address.teredo[1])
    if address in _NAT64:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return found
