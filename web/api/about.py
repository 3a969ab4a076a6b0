"""What anybody may know: who runs this, how it asks for consent, and whether it works."""

from __future__ import annotations

import functools
from typing import Any

import msgspec
from aiohttp import web

from avsession import __version__, notices
from avsession.config import Controller, Settings
from avsession.errors import NotPermitted
from avsession.forwarded import Proxies
from avsession.records import Account
from avsession.usecases import probes
from web import auth, metrics, problems
from web.access import ANYBODY, Access, By
from web.example import Map
from web.routing import RETRY_S, Call, Nothing, Route


def controller(who: Controller) -> dict[str, Any]:
    """The company that answers to the law, as every page names it."""
    return {
        "name": who.name,
        "address": who.address,
        "contact": who.contact,
        "dpo": who.dpo,
        "authority": who.authority,
    }


def about(settings: Settings, build: str) -> dict[str, Any]:
    """What the pages need to know of the settings. Times in seconds, bitrate in bit/s."""
    consent, media = settings.consent, settings.media
    return {
        "version": __version__,
        "build": build,
        "origin": settings.origin,
        "controller": controller(settings.controller),
        "languages": list(languages()),
        "company": settings.company.name if settings.company.issuer else None,
        "minimum_age": settings.minimum_age,
        "purposes": [
            {"id": purpose.id, "label": purpose.label, "keep_days": purpose.keep_days}
            for purpose in consent.purposes
        ],
        "consent": {
            "answer_s": consent.answer_s,
            "warn_s": consent.warn_s,
            "fate_s": consent.fate_s,
        },
        "media": {
            "max_height": media.max_height,
            "max_bitrate": media.max_bitrate,
            "relay_only": media.relay_only,
        },
    }


@functools.cache
def languages() -> tuple[str, ...]:
    """The languages that the newest consent notice is offered in, English first."""
    return notices.languages(notices.RECORDING, notices.latest(notices.RECORDING))


async def get_about(call: Call[Nothing]) -> object:
    """The settings that are no secret."""
    return about(call.app.settings, call.app.build)


async def get_health(call: Call[Nothing]) -> object:
    """Whether the database answers. Raises Unavailable, which becomes 503."""
    async with call.app.store.read() as tx:
        await tx.count(Account)
    return {"status": "ok"}


async def get_ready(call: Call[Nothing]) -> object:
    """Whether this server should be sent new calls: codes, and with a problem 503."""
    ready = call.app.ready
    problems = await probes.problems(call.app)
    said = {"ready": not problems, "problems": problems, "warnings": ready.warnings}
    if not problems:
        return said
    body = msgspec.json.encode(said)
    headers = {"Retry-After": RETRY_S}
    return web.Response(status=503, body=body, headers=headers, content_type="application/json")


async def get_metrics(call: Call[Nothing]) -> object:
    """Gauges in Prometheus's text format, for the addresses that ``metrics_from`` names.

    Raises NotPermitted for any other, and when a proxy says it asks for somebody else.
    """
    proxied = call.request.headers.keys() & PROXIED
    allowed = Proxies(call.app.settings.metrics_from)
    if proxied or not allowed.trusts(auth.address(call.request)):
        raise NotPermitted
    async with call.app.store.read() as tx:
        lines = await metrics.lines(call.app, tx) + call.app.figures.lines()
    return web.Response(
        body=("\n".join(lines) + "\n").encode(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


PROXIED = frozenset({"Forwarded", "X-Forwarded-For", "X-Real-Ip"})


async def get_errors(call: Call[Nothing]) -> object:
    """Every code that an error can have."""
    return {"errors": problems.listed()}


ROUTES = (
    Route(
        method="GET",
        path=problems.TYPES,
        handle=get_errors,
        summary="Every code that an error can have, with its usual sentence",
        access=ANYBODY,
        answer={"errors": Map({"not_found": "There is no such thing here."})},
    ),
    Route(
        method="GET",
        path="/api/about",
        handle=get_about,
        summary="Who runs this service, and how it asks for consent",
        access=ANYBODY,
        answer=about(Settings(), "0.1.0+1a2b3c4"),
    ),
    Route(
        method="GET",
        path="/healthz",
        handle=get_health,
        summary="Whether the service can do its work",
        access=ANYBODY,
        answer={"status": "ok"},
    ),
    Route(
        method="GET",
        path="/readyz",
        handle=get_ready,
        summary="Whether this server should be sent new calls; 503 with codes when not",
        access=ANYBODY,
        answer={"ready": True, "problems": ["draining"], "warnings": ["certificate"]},
        otherwise=503,
    ),
    Route(
        method="GET",
        path="/metrics",
        handle=get_metrics,
        summary="Gauges, for the addresses that may ask",
        access=Access(By.MACHINE),
        media="text/plain",
        answer="avsession_sessions_open 2",
    ),
)
