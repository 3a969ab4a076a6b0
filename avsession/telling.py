"""``avsession webhooks``: what other systems were told, sending it again, trying an endpoint."""

from __future__ import annotations

import argparse
import json
from typing import Any

from avsession import auditing
from avsession.audit.log import rfc3339
from avsession.config import Settings
from avsession.errors import SettingsInvalid
from avsession.serve import close_store, open_services
from avsession.usecases import deliveries, delivering, evidence, outbox
from avsession.usecases.services import Services
from avsession.webhooks import events
from signaling.hub import Hub
from web.sender import HttpSender


def add_arguments(command: argparse.ArgumentParser, action: str) -> None:
    """The arguments of ``avsession webhooks <action>``, beside those of every command."""
    if action == "list":
        command.add_argument(
            "--state", choices=deliveries.STATES, default="", help="only those in this state"
        )
    elif action == "replay":
        which = command.add_mutually_exclusive_group(required=True)
        which.add_argument("delivery", nargs="?", metavar="ID", help="the delivery")
        which.add_argument("--dead", metavar="ENDPOINT", help="every dead one of an endpoint")
    else:
        command.add_argument("endpoint", metavar="ENDPOINT", help="the endpoint's name")


async def run(settings: Settings, given: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    """What the command came to, and whether it went well.

    Raises SettingsInvalid where there is no service, NotFound, Conflict, Unavailable.
    """
    app = await open_services(settings, auditing.there(settings), Hub())
    try:
        if given.action == "list":
            return True, await deliveries.listed(app, None, state=given.state)
        if given.action == "test":
            return await _try(app, given.endpoint)
        if given.dead is not None:
            done = await deliveries.replay_dead(app, None, given.dead)
        else:
            done = await deliveries.replay(app, None, given.delivery)
        await evidence.checkpoint(app)
        return True, done
    finally:
        app.passwords.close()
        await close_store(app)


async def _try(app: Services, name: str) -> tuple[bool, dict[str, Any]]:
    """One attempt at once, which is kept nowhere."""
    endpoint = deliveries.endpoint_of(app, name)
    if endpoint.events and (odd := events.unknown(endpoint.events)):
        raise SettingsInvalid(f"webhooks.endpoints.{name}.events: unknown: {', '.join(odd)}")
    now = app.clock.now_ms()
    data = events.body(events.TEST, None, None, {}, now)
    one = outbox.make(app, endpoint, events.TEST, None, data, now)
    status, outcome, _ = await delivering.send(app, HttpSender(), endpoint, one)
    return 200 <= status < 300, {"endpoint": name, "delivery": one.id, "outcome": outcome}


def as_text(done: dict[str, Any]) -> str:
    """For a person: the endpoints and the deliveries of a list, or what was done."""
    if "endpoints" not in done:
        return "\n".join(
            f"{name} {value}" for name, value in done.items() if value not in (None, "")
        )
    lines = [
        f"{one['name']} {one['url']}: {one['waiting']:,} waiting, {one['dead']:,} dead, "
        f"{one['sent']:,} sent"
        for one in done["endpoints"]
    ]
    lines += [
        f"{one['delivery']} {rfc3339(one['made_ms'])} {one['endpoint']} {one['kind']} "
        f"{one['state']} {one['outcome'] or '-'}"
        for one in done["deliveries"]
    ]
    return "\n".join(lines) or "There are no webhook endpoints in the settings."


def as_json(done: dict[str, Any]) -> str:
    """For a script."""
    return json.dumps(done)
