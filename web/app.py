"""The web application: the route table, the pages, and what is around them."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from avsession.usecases.limits import Buckets
from avsession.usecases.services import Services
from web import middleware, openapi, pages, routing
from web.api import (
    about,
    accounts,
    admin,
    backups,
    company,
    disclosures,
    exports,
    holds,
    log,
    logbook,
    mydata,
    passkeys,
    playback,
    policies,
    preferences,
    quality,
    receipts,
    recovery,
    requests,
    rights,
    seat,
    sessions,
    staff,
    webhooks,
)

TABLE: tuple[routing.Route, ...] = (
    *about.ROUTES,
    *policies.ROUTES,
    *preferences.ROUTES,
    openapi.ROUTE,
    *accounts.ROUTES,
    *company.ROUTES,
    *passkeys.ROUTES,
    *sessions.ROUTES,
    *seat.ROUTES,
    *mydata.ROUTES,
    *rights.ROUTES,
    *recovery.ROUTES,
    *receipts.ROUTES,
    *exports.ROUTES,
    *admin.ROUTES,
    *playback.ROUTES,
    *holds.ROUTES,
    *disclosures.ROUTES,
    *requests.ROUTES,
    *staff.ROUTES,
    *quality.ROUTES,
    *log.ROUTES,
    *logbook.ROUTES,
    *backups.ROUTES,
    *webhooks.ROUTES,
)
"""Every route of the api. Nothing else registers one."""


def create_app(services: Services, *, root: Path = pages.HERE) -> web.Application:
    """The application, ready for an ``AppRunner``. Reads the pages below ``root`` once; blocking.

    Its connections are made by ``web.protocol``: requests are noted here, without who asked. Raises
    FileNotFoundError when a page is missing.
    """
    app = web.Application(client_max_size=routing.MAX_BODY)
    app[routing.SERVICES] = services
    app[routing.STRANGERS] = Buckets(routing.STRANGERS_BURST, routing.STRANGERS_EVERY_MS)
    app[log.READERS] = Buckets(log.BURST, log.EVERY_MS)
    app[openapi.DOCUMENT] = openapi.document(TABLE, services.settings.address)
    middleware.install(app, services.settings)
    routing.add(app, TABLE)
    company.add(app)
    pages.add(app, root)
    return app
