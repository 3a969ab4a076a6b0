"""Choices about cookies and other stored items: each is a leaf, and nothing else of it is kept.

The leaf holds a random pseudonym, the classes that were allowed, and the versions of the registry
and of the privacy policy that they were allowed under. The browser that holds the pseudonym can
show its choice; nobody can tell from the log whose it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from avsession import notices
from avsession.errors import TooMany
from avsession.ports import Reader
from avsession.privacy import stored
from avsession.privacy.stored import Choice
from avsession.records import Leaf
from avsession.session import new_id
from avsession.usecases.common import leaf
from avsession.usecases.limits import address_key
from avsession.usecases.services import Services

KIND = "preference.set"


async def choose(app: Services, given: Sequence[str], token: str, *, address: str) -> Choice:
    """Write a choice down; ``given``: the optional classes that are allowed from now on.

    ``token``: the cookie of the choice before it, which the new one replaces. The same choice
    again, while it stands, is not written down again. ``address`` counts against a limit and is
    not kept. Raises TooMany, Unavailable; then the choice before it must not be believed either,
    if this one was meant to take anything back.
    """
    allowed = tuple(group for group in stored.OPTIONAL if group in given)
    before = await standing(app, token)
    if before is not None and before.given == allowed:
        return before
    if not app.limits.choices.take(address_key(address), app.clock.now_ms()):
        raise TooMany
    pseudonym = new_id("psn", app.entropy)
    version = stored.version(app.settings)
    policy = int(notices.latest(notices.PRIVACY))
    async with app.store.write() as tx:
        index = await leaf(
            app,
            tx,
            KIND,
            actor=pseudonym,
            refs={
                "given": list(allowed),
                "version": version,
                "policy": policy,
                "instead": before.leaf if before else None,
            },
        )
        written = await _read(tx, pseudonym, index)
    if written is None:  # it has just been written
        raise RuntimeError("a choice cannot be read back")
    return written


async def standing(app: Services, token: str) -> Choice | None:
    """The choice that a cookie's value names, if it still means anything. Raises Unavailable."""
    named = stored.parse(token)
    if named is None:
        return None
    async with app.store.read() as tx:
        choice = await _read(tx, *named)
    if choice is None or not choice.stands(
        now_ms=app.clock.now_ms(),
        version=stored.version(app.settings),
        material=notices.material(notices.PRIVACY),
    ):
        return None
    return choice


async def _read(tx: Reader, pseudonym: str, index: int) -> Choice | None:
    row = await tx.get(Leaf, index)
    if row is None or row.kind != KIND:
        return None
    body = json.loads(row.data)
    if body["actor"] != pseudonym:
        return None
    refs = body["refs"]
    return Choice(
        id=pseudonym,
        leaf=index,
        given=tuple(refs["given"]),
        version=refs["version"],
        policy=refs["policy"],
        at_ms=row.at_ms,
    )
