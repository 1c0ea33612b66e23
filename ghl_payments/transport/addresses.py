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

_NAT64 = ip_network("64:ff9b::/96")


class RefusedAddress(Exception):
    """The URL leads to where no request may go; the text says why, and what a person can do."""


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Says where a request may connect to. `allow_private` permits the networks of one's own, for a receiver there.

    Plain http is for loopback only, and loopback only where the URL itself names it: a name may not lead there.
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
        stands_for = (address, *_inside(address))
        if any(inner in network for inner in stands_for for network in METADATA):
            msg = "Its name leads to an address at which clouds keep secrets; give another address."
            raise RefusedAddress(msg)
        for inner in stands_for:
            if not self.allow_private and (not inner.is_global or inner.is_multicast):
                msg = (
                    "Its name leads to a private, local or reserved address. If the receiver does stand in a network "
                    "of your own, set `options.allow_private: true` on the connection."
                )
                raise RefusedAddress(msg)


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
