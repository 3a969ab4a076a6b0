"""How the operations about passkeys are called; see ``operations``."""

from __future__ import annotations

from tests.support.authenticator import Authenticator
from tests.web.cast import Cast, Prepared
from web.permissions import Caller


async def own_passkey(cast: Cast, caller: Caller) -> Prepared:
    """A passkey of the caller's own, which is not used up; the next one is about to be made."""
    person, mine = cast.persons[caller], Authenticator()
    made = await cast.said("/api/passkeys/start", {}, caller)
    body = {"name": "Key ring", "credential": mine.create(made["options"])}
    first = await cast.said("/api/passkeys", body, caller)
    cast.keys[person.account] = mine
    return {"passkey": first["passkey"]}, {}


async def begin_passkey(cast: Cast, caller: Caller) -> Prepared:
    return {}, {}


async def add_passkey(cast: Cast, caller: Caller) -> Prepared:
    made = await cast.said("/api/passkeys/start", {}, caller)
    return {}, {"name": "Key ring", "credential": Authenticator().create(made["options"])}


async def remove_passkey(cast: Cast, caller: Caller) -> Prepared:
    params, _ = await own_passkey(cast, caller)
    about = {"action": "passkeys", "target": ""}
    asked = await cast.said("/api/step-up/start", about, caller)
    mine = cast.keys[cast.persons[caller].account]
    await cast.said("/api/step-up", about | {"credential": mine.get(asked["passkey"])}, caller)
    return params, {}


PREPARE = {
    "POST /api/passkeys/start": begin_passkey,
    "POST /api/passkeys": add_passkey,
    "POST /api/passkeys/{passkey}/remove": remove_passkey,
}
