"""Which UDP ports legs use, and under which address they are reached: for a container, or NAT.

aioice asks its loop for a socket at port 0, where the kernel picks one. `PortLoop` picks from a
range instead, which a firewall or a container's published ports can name.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import secrets
from typing import Any


class PortLoop(asyncio.SelectorEventLoop):
    """An event loop whose UDP sockets take their ports from ``low`` to ``high``, both included.

    Ports are taken in turn, so that one that was just let go rests for a while. Sockets that name
    a port, or only a remote address, are not touched.
    """

    def __init__(self, low: int, high: int) -> None:
        super().__init__()
        self._low, self._count = low, high - low + 1
        # workers that share a range begin at different places
        self._next = secrets.randbelow(self._count)

    async def create_datagram_endpoint(
        self, protocol_factory: Any, local_addr: Any = None, remote_addr: Any = None, **more: Any
    ) -> Any:
        """As asyncio's; raises OSError (EADDRINUSE) when no port of the range is free."""
        make = super().create_datagram_endpoint
        if local_addr is None or local_addr[1] != 0:
            return await make(protocol_factory, local_addr, remote_addr, **more)
        for _ in range(self._count):
            port = self._low + self._next
            self._next = (self._next + 1) % self._count
            try:
                return await make(protocol_factory, (local_addr[0], port), remote_addr, **more)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, "no UDP port of the recorder's range is free")


def advertised(offer: str, address: str | None) -> str:
    """The offer with ``address`` for the hosts' candidates of its family (RFC 8839 section 5.1).

    None: as it is. Behind NAT the ports must be the same outside.
    """
    if address is None:
        return offer
    public = ipaddress.ip_address(address)
    return "\r\n".join(_candidate(line, public) for line in offer.split("\r\n"))


def _candidate(line: str, public: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    parts = line.split(" ")
    if not line.startswith("a=candidate:") or parts[6:8] != ["typ", "host"]:
        return line
    if ipaddress.ip_address(parts[4]).version != public.version:
        return line
    return " ".join([*parts[:4], str(public), *parts[5:]])
