"""ICE for a leg: which ways it has, gathering them, and sending on the chosen one.

With `leg` the only file that touches aioice and aiortc. One TURN server a connection is all that
they know: the first usable URL counts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import aioice
from aiortc import RTCIceServer
from aiortc.rtcicetransport import connection_kwargs

from avsession.messages import IceServer

CLOSE_S = 2.0
"""A TURN server that does not answer must not hold up a leg's end; its allocation ends anyway."""


def connection(servers: Sequence[IceServer], *, relay_only: bool) -> aioice.Connection:
    """The controlling side of a connection; with ``relay_only`` it uses TURN alone, if it is given
    a TURN server at all, and tells no address of this machine."""
    found = connection_kwargs(
        [
            RTCIceServer(urls=list(one.urls), username=one.username, credential=one.credential)
            for one in servers
        ]
    )
    if relay_only and "turn_server" in found:
        found["transport_policy"] = aioice.TransportPolicy.RELAY
    ice = aioice.Connection(ice_controlling=True, **found)
    # whatever aioice cannot parse as STUN would end in its unbounded queue
    ice.data_received = lambda data, component: None  # type: ignore[method-assign]
    return ice


async def gather(ice: aioice.Connection) -> None:
    """Find the ways there are, 5 s at most. Raises nothing when there is none."""
    await ice.gather_candidates()
    if not ice.local_candidates and ice._transport_policy is aioice.TransportPolicy.ALL:
        # aioice leaves loopback out; on a machine with nothing else it is all there is
        ice.turn_server = None
        ice._local_candidates += await ice.get_component_candidates(
            component=1, addresses=["127.0.0.1"]
        )


def relayed(ice: aioice.Connection) -> bool:
    """Whether TURN gave an address, if there is a TURN server."""
    return ice.turn_server is None or any(c.type == "relay" for c in ice.local_candidates)


def send(ice: aioice.Connection, data: bytes) -> None:
    """Send on the nominated pair, now; what cannot be sent is lost, as UDP may lose it."""
    pair = ice._nominated.get(1)
    if pair is None:
        return
    transport: Any = pair.protocol.transport
    # one through TURN does not say that it is closing, and ignores what comes then
    if not isinstance(transport, asyncio.BaseTransport) or not transport.is_closing():
        transport.sendto(data, pair.remote_addr)


async def close(ice: aioice.Connection) -> None:
    """End it, and give an allocation back."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await ice.close()
