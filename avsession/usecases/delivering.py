"""Sending what the outbox holds, until it arrives or its day is over.

Before an attempt the delivery is claimed: its next time is set behind the end of this one, so that
nobody else sends it meanwhile, and that after a crash in between it is sent again. It may therefore
arrive twice, with one id; it is never lost. The order is not promised.

An endpoint has its own turn, and at most ``webhooks.at_once`` attempts in flight: one that is slow
or dead holds up nobody else.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from msgspec.structs import replace

from avsession.config import Settings
from avsession.config_outside import Endpoint
from avsession.errors import AvsessionError, SettingsInvalid
from avsession.ports import NotReached, Sender
from avsession.usecases.outbox import DEAD, SENT, WAITING
from avsession.usecases.services import Services
from avsession.webhook_records import Delivery
from avsession.webhooks import backoff, events, signing

log = logging.getLogger("avsession.delivering")

EVERY_S = 1.0
"""How often an endpoint's next delivery is looked for."""
CLAIM_MS = 30_000
"""How long after the end of an attempt's time nobody else tries it."""
GONE = 410
"""The status by which a receiver says that it wants no more of this."""


def check(settings: Settings) -> None:
    """Raise SettingsInvalid when an endpoint cannot be used: its secret, or what it asks for."""
    for endpoint in settings.webhooks.endpoints:
        if odd := events.unknown(endpoint.events):
            raise SettingsInvalid(
                f"webhooks.endpoints.{endpoint.name}.events: unknown: {', '.join(odd)}"
            )
        signing.read(Path(endpoint.secret_file))


async def keep_delivering(app: Services, sender: Sender) -> None:
    """Until it is cancelled. Returns at once when nobody is to be told anything."""
    endpoints = app.settings.webhooks.endpoints
    await asyncio.gather(*(_keep(app, sender, endpoint) for endpoint in endpoints))


async def _keep(app: Services, sender: Sender, endpoint: Endpoint) -> None:
    while True:
        try:
            if await turn(app, sender, endpoint):
                continue
        except AvsessionError as error:
            log.warning("webhook %s waits: %s", endpoint.name, error.code)
        await asyncio.sleep(EVERY_S)


async def turn(app: Services, sender: Sender, endpoint: Endpoint) -> int:
    """Try what is due for one endpoint, as much as may be in flight; how many that were.

    Raises Unavailable when the database cannot be used: nothing is forgotten by it.
    """
    claimed = await _claim(app, endpoint)
    if claimed:
        await asyncio.gather(*(_attempt(app, sender, endpoint, one) for one in claimed))
    return len(claimed)


async def _claim(app: Services, endpoint: Endpoint) -> list[Delivery]:
    now = app.clock.now_ms()
    limit = app.settings.webhooks.at_once
    where = {"endpoint": endpoint.name, "state": WAITING}
    async with app.store.read() as tx:
        if not await tx.find(Delivery, order="due_ms", below=now + 1, limit=1, **where):
            return []
    async with app.store.write() as tx:
        due = await tx.find(Delivery, order="due_ms", below=now + 1, limit=limit, **where)
        until = now + app.settings.webhooks.timeout_s * 1000 + CLAIM_MS
        claimed = [
            replace(one, due_ms=until, attempts=one.attempts + 1, tried_ms=now) for one in due
        ]
        for one in claimed:
            await tx.put(one)
    return claimed


async def _attempt(app: Services, sender: Sender, endpoint: Endpoint, claimed: Delivery) -> None:
    status, outcome, asked_s = await send(app, sender, endpoint, claimed)
    async with app.store.write() as tx:
        row = await tx.get(Delivery, claimed.id)
        if row is None or row.state != WAITING or row.due_ms != claimed.due_ms:
            return  # removed, replayed or claimed anew meanwhile
        await tx.put(_after(app, row, status, outcome, asked_s))


def _after(app: Services, row: Delivery, status: int, outcome: str, asked_s: int) -> Delivery:
    if 200 <= status < 300:
        return replace(row, state=SENT, outcome=outcome)
    now = app.clock.now_ms()
    again = backoff.next_ms(row.since_ms, now, row.attempts, app.entropy, asked_ms=asked_s * 1000)
    if again is None or status == GONE:
        log.warning("webhook %s: a delivery is dead: %s", row.endpoint, outcome)
        return replace(row, state=DEAD, outcome=outcome)
    return replace(row, due_ms=again, outcome=outcome)


async def send(
    app: Services, sender: Sender, endpoint: Endpoint, one: Delivery
) -> tuple[int, str, int]:
    """One attempt: the status (0: none came), what came of it in a word, and the seconds that the
    receiver asks to be left alone. Raises nothing that the other side can cause."""
    try:
        secrets = await asyncio.to_thread(signing.read, Path(endpoint.secret_file))
        headers = signing.headers(secrets, one.id, app.clock.now_ms() // 1000, one.body)
        answer = await sender.post(
            endpoint.url,
            headers,
            one.body,
            timeout_s=app.settings.webhooks.timeout_s,
            internal=endpoint.internal,
        )
    except SettingsInvalid as error:
        log.error("%s", error)
        return 0, "secret", 0
    except NotReached as error:
        return 0, str(error), 0
    return answer.status, str(answer.status), answer.retry_after_s
