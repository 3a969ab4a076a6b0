"""Figures over the wire: from a party that allowed it, to an admin as counts."""

from avsession.records import QualityCount
from tests.web.support import Site, cookie_of, same_shape
from web.app import TABLE

EXAMPLES = {(route.method, route.path): route.answer for route in TABLE}
FIGURES = {"round_trip": 60, "loss": 3, "first_frame": None}


async def choice(site: Site, *given: str) -> str:
    return cookie_of(await site.post("/api/preferences", {"given": list(given)}))


async def test_both_parties_can_be_counted_and_an_admin_sees_how_many(site: Site) -> None:
    agent, admin = await site.agent(), await site.admin()
    call = await site.call(agent)
    allowed = await choice(site, "analytics")
    for path, cookie in (
        ("/api/seat/quality", call.seat),
        (f"/api/sessions/{call.session}/quality", agent),
    ):
        answer = await site.post(path, FIGURES, cookie=f"{cookie}; {allowed}")
        assert answer.json == {"counted": True}
    shown = await site.get("/api/admin/quality", cookie=admin)
    same_shape(EXAMPLES["GET", "/api/admin/quality"], shown.json)
    assert sum(day["calls"] for day in shown.json["days"]) == 2
    assert (await site.get("/api/admin/quality", cookie=agent)).status == 403


async def test_without_a_yes_nothing_is_counted(site: Site) -> None:
    call = await site.call(await site.agent())
    allowed = await choice(site, "preferences", "analytics")
    for cookie, headers in (
        (call.seat, {}),
        (f"{call.seat}; {await choice(site, 'preferences')}", {}),
        (f"{call.seat}; {await choice(site)}", {}),
        (f"{call.seat}; {allowed}", {"Sec-GPC": "1"}),
    ):
        answer = await site.post("/api/seat/quality", FIGURES, cookie=cookie, headers=headers)
        assert (answer.status, answer.code) == (403, "consent.required")
    async with site.app.store.read() as tx:
        assert await tx.count(QualityCount) == 0


async def test_an_agent_is_counted_in_a_session_of_their_own(site: Site) -> None:
    call = await site.call(await site.agent())
    other = f"{await site.agent()}; {await choice(site, 'analytics')}"
    answer = await site.post(f"/api/sessions/{call.session}/quality", FIGURES, cookie=other)
    assert answer.status == 404


async def test_a_report_holds_numbers_and_nothing_else(site: Site) -> None:
    call = await site.call(await site.agent())
    cookie = f"{call.seat}; {await choice(site, 'analytics')}"
    for wrong in ({"round_trip": -1}, {"loss": 1.5}, {"name": "Ben"}, {"height": "720"}):
        answer = await site.post("/api/seat/quality", wrong, cookie=cookie)
        assert (answer.status, answer.code) == (400, "invalid")
