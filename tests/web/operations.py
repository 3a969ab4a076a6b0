"""How each operation of the api is called so that it can be carried out: one entry an operation.

An entry is given the cast and the caller, prepares what the operation works on (the first session's
things, or what is the caller's own), and says what is sent. Secrets and passwords that a caller
brings are put in by :func:`credentials`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from avsession.config_outside import Company, Endpoint, Webhooks
from avsession.usecases import deliveries
from avsession.webhook_records import Delivery
from tests.support.provider import providing
from tests.web import passkeys
from tests.web.api.test_disclosures import body as disclosure
from tests.web.api.test_holds import said as hold
from tests.web.cast import GUESS, Cast, Person, Prepared
from tests.web.support import PASSWORD
from web.access import By
from web.permissions import HOLDS, Caller
from web.routing import Route

TEXT = {"text": "as was said on the telephone"}
KEY = "k" * 24
LISTS = ("accounts", "backup", "disclosures", "holds", "quality", "recordings", "requests",
         "requests/figures", "sessions", "webhooks")  # fmt: skip


@dataclasses.dataclass
class Ask:
    """One request: ``path`` with what its braces stand for, and what is sent."""

    path: str
    body: dict[str, Any] | None
    cookie: str
    headers: dict[str, str | None]


Prepare = Callable[[Cast, Caller], Awaitable[Prepared]]

PREPARE: dict[str, Prepare] = {}
SPENT: set[str] = set()
"""Operations that use up what was prepared, for the next caller, too: everything is made anew."""


def operation(name: str, *, spends: bool = False) -> Callable[[Prepare], Prepare]:
    def note(prepare: Prepare) -> Prepare:
        assert name not in PREPARE
        PREPARE[name] = prepare
        if spends:
            SPENT.add(name)
        return prepare

    return note


def always(body: dict[str, Any] | None = None, **params: Callable[[Cast], str]) -> Prepare:
    async def prepare(cast: Cast, caller: Caller) -> Prepared:
        return {name: find(cast) for name, find in params.items()}, dict(body or {})

    return prepare


def session(cast: Cast) -> str:
    return cast.call.session


def recording(cast: Cast) -> str:
    return cast.recorded.recording


@operation("GET /readyz")
async def ready(cast: Cast, caller: Caller) -> Prepared:
    settings = replace(cast.site.app.settings, recorders=0)  # nobody is connected
    object.__setattr__(cast.site.app, "settings", settings)
    return {}, {}


for _name, _prepare in {
    "GET /api/errors": always(),
    "GET /api/about": always(),
    "GET /healthz": always(),
    "GET /metrics": always(),
    "GET /api/policies": always(),
    "GET /api/policies/text": always({"document": "privacy", "language": "en"}),
    "GET /api/policies/changes": always(
        {"document": "privacy", "language": "en", "before": "1", "after": "2"}
    ),
    "GET /api/preferences": always(),
    "POST /api/preferences": always({"given": []}),
    "GET /api/openapi.json": always(),
    "POST /api/sign-in": always(),
    "POST /api/sign-in/link": always(),
    "POST /api/sign-out": always(),
    "GET /api/me": always(),
    "POST /api/step-up/start": always({"action": "passkeys"}),
    "POST /api/step-up": always({"action": "passkeys", "password": PASSWORD}),
    "GET /api/passkeys": always(),
    "POST /api/sessions": always({"language": "en"}),
    "GET /api/sessions": always(),
    "POST /api/sessions/{session}/invitation/revoke": always(session=session),
    "POST /api/sessions/{session}/ticket": always(session=session),
    "POST /api/sessions/{session}/data-link": always(session=session),
    "POST /api/sessions/{session}/end": always(session=session),
    "POST /api/join": always({"name": "Bea", "language": "en"}),
    "GET /api/seat": always(),
    "POST /api/seat/ticket": always(),
    "POST /api/seat/data-link": always(),
    "POST /api/my-data": always(),
    "POST /api/my-data/requests": always({"right": "object", "purposes": ["quality"], "key": KEY}),
    "POST /api/my-data/rectify": always({"name": "Benno"}),
    "POST /api/my-data/restrict": always(),
    "POST /api/my-data/by-receipt": always(),
    "POST /api/my-data/receipts": always({"closed": True}),
    "POST /api/my-data/exports": always(),
    "POST /api/my-data/exports/start": always(),
    "GET /api/my-data/staff": always(),
    "POST /api/my-data/staff/requests": always({"right": "complain", **TEXT}),
    "GET /api/admin/sessions/{session}": always(session=session),
    "GET /api/admin/recordings/{recording}/timeline": always(recording=recording),
    "POST /api/admin/recordings/{recording}/open": always(
        {"reason": "Complaint 4711", "purpose": "quality"}, recording=recording
    ),
    **{f"GET /api/admin/{name}": always() for name in LISTS},
    "POST /api/admin/people": always({"text": "ben"}),
    "GET /log/checkpoint": always(),
    "GET /log/proof": always({"leaf": 1}),
    "GET /log/consistency": always({"from": 1}),
    "GET /log/key": always(),
    "GET /api/admin/log/state": always(),
    "POST /api/admin/log/leaves": always(),
    "GET /api/admin/log/leaf": always({"leaf": 1}),
    "GET /api/admin/log/proof": always({"leaf": 1}),
    "POST /api/admin/log/export": always(),
}.items():
    operation(_name)(_prepare)

for _name in ("POST /api/my-data/end-call", "POST /api/admin/sessions/{session}/child"):
    operation(_name, spends=True)(always(session=session))


@operation("POST /api/my-data/withdraw", spends=True)
async def withdraw(cast: Cast, caller: Caller) -> Prepared:
    return {}, {"request": cast.recorded.request, "fate": "destroy", "key": KEY}


@operation("POST /api/my-data/certificate", spends=True)
async def certificate(cast: Cast, caller: Caller) -> Prepared:
    return {}, {"certificate": await cast.certificate()}


@operation("GET /api/admin/certificates/{certificate}", spends=True)
async def certificate_of_all(cast: Cast, caller: Caller) -> Prepared:
    return {"certificate": await cast.certificate()}, {}


@operation("POST /api/my-data/requests/withdraw")
async def withdraw_request(cast: Cast, caller: Caller) -> Prepared:
    link = cast.persons[Caller.CUSTOMER].link
    wanted = {"secret": link, "right": "access", "text": "What have you got?", "key": KEY}
    return {}, {"request": (await cast.said("/api/my-data/requests", wanted))["request"]}


@operation("POST /api/my-data/staff/requests/withdraw")
async def withdraw_of_staff(cast: Cast, caller: Caller) -> Prepared:
    owner = caller if By.STAFF in HOLDS[caller].owns else Caller.AGENT
    wanted = {"right": "complain", **TEXT}
    made = await cast.said("/api/my-data/staff/requests", wanted, owner)
    return {}, {"request": made["request"]}


@operation("POST /api/my-data/restrict/lift")
async def lift_own(cast: Cast, caller: Caller) -> Prepared:
    if link := cast.persons[caller].link:
        await cast.said("/api/my-data/restrict", {"secret": link})
    return {}, {}


@operation("POST /api/my-data/erase", spends=True)
async def erase(cast: Cast, caller: Caller) -> Prepared:
    if link := cast.persons[caller].link:
        await cast.said("/api/my-data/end-call", {"secret": link})
    return {}, {"sure": True}


async def own_event(cast: Cast, caller: Caller) -> Prepared:
    return {}, {"event": await cast.event(cast.call.customer)}


operation("POST /api/seat/receipt")(own_event)
operation("POST /api/my-data/receipt")(own_event)


@operation("POST /api/sessions/{session}/receipt")
async def receipt_by_account(cast: Cast, caller: Caller) -> Prepared:
    return {"session": cast.call.session}, {"event": await cast.event(cast.call.agent)}


async def own_export(cast: Cast, caller: Caller) -> Prepared:
    return {}, {"export": await cast.export(Caller.CUSTOMER)}


operation("POST /api/my-data/exports/allow", spends=True)(own_export)
operation("POST /api/my-data/exports/remove", spends=True)(own_export)


operation("POST /api/my-data/renew", spends=True)(always())


@operation("GET /api/exports/{export}.zip", spends=True)
async def download(cast: Cast, caller: Caller) -> Prepared:
    if not cast.persons[Caller.STRANGER].download:
        await cast.export(Caller.STRANGER)  # a key that is good for something, but not for this
    return {"export": await cast.export(Caller.CUSTOMER)}, {}


@operation("GET /api/admin/events/{event}")
async def event(cast: Cast, caller: Caller) -> Prepared:
    return {"event": await cast.event(cast.call.customer)}, {}


@operation("GET /api/admin/notices/{sha256}")
async def notice(cast: Cast, caller: Caller) -> Prepared:
    return {"sha256": await cast.notice()}, {}


@operation("GET /api/admin/access/{access}/tracks/{track}.webm")
async def track(cast: Cast, caller: Caller) -> Prepared:
    access, track = await cast.access()
    return {"access": access, "track": track}, {}


@operation("POST /api/admin/holds")
async def place(cast: Cast, caller: Caller) -> Prepared:
    return {}, hold(cast.site, cast.story)


@operation("POST /api/admin/holds/{hold}/release")
async def release(cast: Cast, caller: Caller) -> Prepared:
    placed = await cast.said("/api/admin/holds", hold(cast.site, cast.story), Caller.ADMIN)
    return {"hold": placed["hold"]}, {"reason": "Settled"}


@operation("POST /api/admin/disclosures")
async def disclose(cast: Cast, caller: Caller) -> Prepared:
    return {}, disclosure(cast.story)


@operation("GET /api/admin/disclosures/{disclosure}.zip.age")
async def disclosed(cast: Cast, caller: Caller) -> Prepared:
    wanted = disclosure(cast.story, parts=["records"])
    made = await cast.said("/api/admin/disclosures", wanted, Caller.ADMIN)
    await cast.prepared()
    return {"disclosure": made["disclosure"]}, {}


@operation("POST /api/admin/requests")
async def enter(cast: Cast, caller: Caller) -> Prepared:
    return {}, {"party": cast.call.customer, "right": "access", **TEXT}


SENT: dict[str, dict[str, Any]] = {"carry-out": {}, "link": {}, "correct": {"name": "Benno"}}
"""What a step at the desk takes, where that is no text."""
STEPS_OF = {"lift": "restrict", "carry-out": "restrict", "correct": "rectify"}
"""The right of which a step is taken, where that is no complaint."""
BEFORE: dict[str, tuple[str, ...]] = {
    "verify": (), "refuse": (), "lift": ("verify", "carry-out"),
    **dict.fromkeys(("extend", "answer", "carry-out", "correct", "link"), ("verify",)),
}  # fmt: skip


def _step(name: str) -> Prepare:
    """A step of the desk's, after those that come before it."""

    async def prepare(cast: Cast, caller: Caller) -> Prepared:
        path = "/api/admin/requests"
        wanted = {"party": cast.call.customer, "right": STEPS_OF.get(name, "complain"), **TEXT}
        made = await cast.said(path, wanted, Caller.ADMIN)
        for step in BEFORE[name]:
            await cast.said(f"{path}/{made['request']}/{step}", SENT.get(step, TEXT), Caller.ADMIN)
        return {"request": made["request"]}, dict(SENT.get(name, TEXT))

    return prepare


for _name in BEFORE:
    operation(f"POST /api/admin/requests/{{request}}/{_name}", spends=True)(_step(_name))


@operation("POST /api/admin/accounts/{account}/requests")
async def enter_for_staff(cast: Cast, caller: Caller) -> Prepared:
    return {"account": cast.persons[Caller.AGENT].account}, {"right": "access", **TEXT}


@operation("POST /api/admin/accounts/{account}/disable")
async def disable(cast: Cast, caller: Caller) -> Prepared:
    account, _cookie = await cast.site.staff("agent")
    return {"account": account.id}, {}


async def quality(cast: Cast, caller: Caller) -> Prepared:
    await cast.allow_analytics()
    return {"session": cast.call.session}, {"round_trip": 60}


operation("POST /api/seat/quality")(quality)
operation("POST /api/sessions/{session}/quality")(quality)


async def dead_delivery(cast: Cast, caller: Caller) -> Prepared:
    """An endpoint, and a message for it that did not arrive."""
    app = cast.site.app
    endpoint = Endpoint(name="crm", url="https://crm.example.com/", secret_file="s", events=("x",))
    settings = replace(app.settings, webhooks=Webhooks(endpoints=(endpoint,)))
    object.__setattr__(app, "settings", settings)
    made = await deliveries.test(app, None, endpoint.name)
    async with app.store.write() as tx:
        row = await tx.get(Delivery, made["delivery"])
        assert row is not None
        await tx.put(replace(row, state="dead"))
    return {"delivery": row.id}, {"endpoint": endpoint.name}


async def replay(cast: Cast, caller: Caller) -> Prepared:
    return (await dead_delivery(cast, caller))[0], {}


operation("POST /api/admin/webhooks/test")(dead_delivery)
operation("POST /api/admin/webhooks/replay-dead")(dead_delivery)
operation("POST /api/admin/webhooks/deliveries/{delivery}/replay")(replay)


for _name, _prepare in passkeys.PREPARE.items():
    operation(_name)(_prepare)


async def with_company(cast: Cast) -> None:
    """A provider for whom the caller's word is not enough: it says itself who came."""
    if cast.acme is None:
        cast.acme = await cast.stack.enter_async_context(providing())
        company = msgspec.convert(cast.acme.settings(), Company)
        object.__setattr__(
            cast.site.app, "settings", replace(cast.site.app.settings, company=company)
        )


@operation("POST /api/sign-in/company")
async def to_company(cast: Cast, caller: Caller) -> Prepared:
    await with_company(cast)
    return {}, {}


@operation("POST /api/sign-in/company/finish")
async def from_company(cast: Cast, caller: Caller) -> Prepared:
    await with_company(cast)
    return {}, {}


async def ask(cast: Cast, route: Route, caller: Caller, prepared: Prepared) -> Ask:
    """What this caller sends, with whatever of the route's wishes they can meet."""
    params, sent = prepared
    person = cast.persons[caller]
    path = re.sub(r"\{(\w+)\}", lambda found: params[found[1]], route.path)
    if not route.writes and sent:
        path += "?" + "&".join(f"{name}={value}" for name, value in sent.items())
    body = sent | await credentials(cast, route, caller) if route.writes else None
    cookies = [one for one in (person.cookie, person.download, cast.analytics, cast.went) if one]
    return Ask(path, body, "; ".join(cookies), person.headers)


async def credentials(cast: Cast, route: Route, caller: Caller) -> dict[str, Any]:
    """The secret that the route wants: the caller's own, or a guess."""
    by, person = route.access.by, cast.persons[caller]
    has = by in HOLDS[caller].by
    if by is By.LINK:
        return {"secret": person.link if has else GUESS}
    if by is By.PASSWORD:
        return _login(person if has else cast.persons[Caller.AGENT], has)
    if by is By.SIGN_IN_LINK:
        return {"secret": await cast.sign_in_link(caller) if has else GUESS}
    if by is By.COMPANY:
        return {"state": await cast.company_state(), "code": "right" if has else GUESS}
    if by is By.INVITATION:
        return {"secret": await cast.invitation(caller) if has else GUESS}
    if by is By.RECEIPT:
        return {"receipt": cast.receipt if has else "<!doctype html>"}
    return {}


def _login(person: Person, right: bool) -> dict[str, Any]:
    return {"login": person.login, "password": PASSWORD if right else "wrong horse battery"}
