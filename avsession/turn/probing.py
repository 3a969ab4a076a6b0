"""Whether the relays that are set do what they should, and what to do when they do not."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from avsession.errors import Invalid
from avsession.turn.client import Allocation, Client, TurnRefused
from avsession.turn.credentials import Secret, make, pseudonym, read_secret
from avsession.turn.settings import Turn
from avsession.turn.stun import TurnUnreachable


@dataclass(frozen=True)
class Probed:
    """What came of one URL."""

    url: str
    allocation: Allocation | None
    sentence: str = ""
    """What is wrong; empty when the relay works."""
    do: str = ""
    """What to do about it."""


KEY_DIFFERS = (
    "Give coturn the secret of turn.secret_file (avsession turn config --to FILE writes it), "
    "start it anew, and set its clock right."
)
SILENT = (
    "Is coturn running? Then open the ports of turn.urls in every firewall, for UDP or TCP as "
    "they say, and UDP turn.min_port to turn.max_port."
)
UNTRUSTED = "Give coturn a certificate for the name in turn.urls, from an authority, and renew it."
NOT_ITSELF = (
    "Set turn.external_ip to its public address, or on a network of one's own turn.allowed_peers; "
    "then make coturn's file anew (avsession turn config) and start it."
)
OPEN = "Start coturn with the file that avsession turn config makes: it refuses such addresses."
FULL = "Its quota is used up: see turn.user_quota and turn.total_quota, and who uses it."
REFUSED = "See coturn's log; avsession turn config makes its file anew."
INSIDE = {4: "169.254.169.254", 6: "fe80::1"}
"""An address of which nobody may be a peer, unless turn.allowed_peers says so: the first is where
clouds tell a host its own secrets."""


async def probe_all(
    turn: Turn, *, timeout_s: float = 5.0, ca_file: Path | None = None
) -> tuple[Probed, ...]:
    """Try every URL of the settings, the recorder's too, at the same time.

    Each has to make an allocation, to relay to its own relays (callers who both need it meet
    there), and to refuse to relay inside. With credentials of our own, good for a minute. Raises
    SettingsInvalid when the secret cannot be read; everything else is in the answer. Empty without
    ``turn.urls``.
    """
    if not turn.urls or turn.secret_file is None:
        return ()
    secret = read_secret(Path(turn.secret_file))
    urls = tuple(dict.fromkeys((*turn.urls, *turn.recorder_urls)))
    tries = [_probed(turn, url, secret, timeout_s, ca_file) for url in urls]
    return tuple(await asyncio.gather(*tries))


async def _probed(
    turn: Turn, url: str, secret: Secret, timeout_s: float, ca_file: Path | None
) -> Probed:
    told = make(secret, int(time.time()) + 60, pseudonym(secret, "probe", url))
    client = None
    try:
        client = await Client.connect(url, *told, timeout_s=timeout_s, ca_file=ca_file)
        return await _peers(turn, url, client)
    except TurnRefused as error:
        do = {401: KEY_DIFFERS, 486: FULL}.get(error.number, REFUSED)
        hint = " Is its secret the same, and its clock right?" if error.number == 401 else ""
        return Probed(url, None, f"{error}{hint}", do)
    except (TurnUnreachable, Invalid) as error:
        untrusted = isinstance(error.__cause__, ssl.SSLCertVerificationError)
        return Probed(url, None, str(error), UNTRUSTED if untrusted else SILENT)
    finally:
        if client is not None:
            await client.close()


async def _peers(turn: Turn, url: str, client: Client) -> Probed:
    found = await client.allocate()
    own = ipaddress.ip_address(found.relayed[0])
    if not await _permits(client, str(own)):
        return Probed(url, found, f"It relays at {own} and refuses to relay to there.", NOT_ITSELF)
    inside = ipaddress.ip_address(INSIDE[own.version])
    allowed = [ipaddress.ip_network(one) for one in turn.allowed_peers]
    if any(inside in one for one in allowed) or not await _permits(client, str(inside)):
        return Probed(url, found)
    return Probed(url, found, f"It relays to {inside}, an address inside.", OPEN)


async def _permits(client: Client, host: str) -> bool:
    try:
        await client.permit(host)
    except TurnRefused as error:
        if error.number != 403:
            raise
        return False
    return True
