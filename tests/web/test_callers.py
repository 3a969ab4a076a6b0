"""Every operation, called as every kind of caller against the real application.

What ``web.permissions`` says of them (and PERMISSIONS.md with it) is held against the answers: what
is allowed is carried out, on the caller's own things; what is not is refused as documented, and
nothing is changed but the log, where the refusal stands.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from avsession.usecases import permissions
from tests.web.cast import LOG, Cast, Prepared, cast_of
from tests.web.operations import PREPARE, SPENT, ask
from tests.web.support import ORIGIN, Answer, Site
from web.access import By, Reach
from web.app import TABLE
from web.middleware import status_of
from web.openapi import document
from web.permissions import Caller, granted, refusal
from web.problems import MEDIA
from web.routing import Route

DOCUMENT = document(TABLE, ORIGIN)
COVERS = {
    (Caller.CUSTOMER, "POST /api/my-data/erase"): {"consent_state", "manifest_entry", "track"},
    (Caller.AGENT, "POST /api/my-data/erase"): {"consent_state"},
}
"""A customer's choice covers the recording, the agent's track in it, too. Where the asking stood
when the call ended goes with either of them."""
RECOVERY_S = 601
"""Seconds after which one may try once more with a receipt."""


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_every_operation_is_called() -> None:
    assert [name for name in PREPARE if name not in set(map(name_of, TABLE))] == []
    assert [name_of(route) for route in TABLE if name_of(route) not in PREPARE] == []


@pytest.fixture
async def cast(
    site: Site, tmp_path: Path, route: Route, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cast]:
    """Everybody; the roles of the table's columns are real ones meanwhile."""
    for caller in (Caller.ONLY, Caller.ALL_BUT):
        role = caller.name.lower()
        monkeypatch.setitem(permissions.PERMISSIONS, role, granted(caller, route))
        monkeypatch.setitem(permissions.HOMES, role, "/admin")
    made = await cast_of(site, tmp_path)
    async with made.stack:
        yield made


async def called(cast: Cast, route: Route, caller: Caller, prepared: Prepared) -> Answer:
    asked = await ask(cast, route, caller, prepared)
    if route.access.by is By.RECEIPT:
        cast.site.clock.forward(RECOVERY_S)
    return await cast.site.ask(
        route.method, asked.path, json=asked.body, cookie=asked.cookie, headers=asked.headers
    )


@pytest.mark.parametrize("route", TABLE, ids=name_of)
async def test_who_may_and_who_may_not(cast: Cast, route: Route) -> None:
    verdicts = {caller: refusal(route, caller) for caller in Caller}
    allowed = [caller for caller in Caller if verdicts[caller] is None]
    prepare = PREPARE[name_of(route)]
    prepared = await prepare(cast, allowed[0])

    before, files, told = cast.rows(), cast.files(), list(cast.told)
    for caller, error in verdicts.items():
        if error is None:
            continue
        answer = await called(cast, route, caller, prepared)
        assert (answer.status, answer.code) == (status_of(error), error.code), caller
        responses = DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
        assert error.code in responses[str(answer.status)]["content"][MEDIA]["examples"], caller
    after = cast.rows()
    assert changed(before, after) <= set(LOG)
    assert all("access.denied" in row for row in after["leaf"] - before["leaf"])
    assert (cast.files(), cast.told) == (files, told)

    for n, caller in enumerate(allowed):
        if n:
            if name_of(route) in SPENT:
                await cast.met()
            prepared = await prepare(cast, caller)
        theirs = cast.rows_with(*foreign(cast, route, caller))
        answer = await called(cast, route, caller, prepared)
        assert answer.status == route.status, (caller, answer.body)
        assert answer.headers["Content-Type"].startswith(route.media), caller
        for name in foreign(cast, route, caller):
            assert name.encode() not in answer.body, (caller, "sees what is another's")
        kept = cast.rows_with(*foreign(cast, route, caller))
        gone = {table for table, _ in theirs - kept}
        assert gone == COVERS.get((caller, name_of(route)), set()), (caller, gone)


def changed(before: dict[str, set[str]], after: dict[str, set[str]]) -> set[str]:
    """The tables that are not as they were."""
    return {name for name in after if before[name] != after[name]}


def foreign(cast: Cast, route: Route, caller: Caller) -> tuple[str, ...]:
    """Identifiers of what the caller must neither see nor change by this route."""
    if route.access.reach is Reach.ALL:
        return ()
    call, own = cast.call, route.access.reach is Reach.OWN
    if caller in (Caller.CUSTOMER, Caller.RECEIPT):
        return (call.agent,) if own else ()
    if caller is Caller.AGENT:
        return (call.customer,) if own and route.access.by is By.LINK else ()
    if caller is Caller.ADMIN and route.access.permission:
        return ()  # what they have opened is of that session
    recorded = cast.recorded
    return call.session, call.agent, call.customer, recorded.recording, recorded.request
