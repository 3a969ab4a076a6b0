"""How the operations about passkeys are called; see ``operations``."""

from __future__ import annotations

from tests.support.authenticator import Authenticator
from tests.web.cast import Cast, Prepared
from web.access import By
from web.permissions import HOLDS, Caller


def owner(caller: Caller) -> Caller:
    """Who has passkeys: the caller, or an agent where the caller is none of the staff."""
    return caller if By.STAFF in HOLDS[caller].by else Caller.AGENT


async def begin_passkey(cast: Cast, caller: Caller) -> Prepared:
    return {}, {}


async def add_passkey(cast: Cast, caller: Caller) -> Prepared:
    made = await cast.said("/api/passkeys/start", {}, owner(caller))
    return {}, {"name": "Key ring", "credential": Authenticator().create(made["options"])}


async def remove_passkey(cast: Cast, caller: Caller) -> Prepared:
    """One of their own, its removal confirmed with it."""
    who, mine = owner(caller), Authenticator()
    made = await cast.said("/api/passkeys/start", {}, who)
    body = {"name": "Key ring", "credential": mine.create(made["options"])}
    added = await cast.said("/api/passkeys", body, who)
    cast.keys[cast.persons[who].account] = mine
    await cast.confirm(who, "passkeys", "")
    return {"passkey": added["passkey"]}, {}


PREPARE = {
    "POST /api/passkeys/start": begin_passkey,
    "POST /api/passkeys": add_passkey,
    "POST /api/passkeys/{passkey}/remove": remove_passkey,
}
