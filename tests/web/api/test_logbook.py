"""The admin's log over the api."""

from __future__ import annotations

import json

from tests.web.support import Site, same_shape
from web.app import TABLE

EXAMPLES = {route.path: route.answer for route in TABLE}
HOME = "/api/admin/log"


async def test_searching_opening_and_the_standing_sign(site: Site) -> None:
    agent, admin = await site.agent(), await site.admin()
    await site.call(agent)
    state = (await site.get(f"{HOME}/state", cookie=admin)).json
    same_shape(EXAMPLES[f"{HOME}/state"], state)
    assert (state["ok"], state["full_ms"]) == (False, None)
    page = (await site.post(f"{HOME}/leaves", {"kind": "session.created"}, cookie=admin)).json
    same_shape(EXAMPLES[f"{HOME}/leaves"], page)
    (line,) = page["leaves"]
    opened = (await site.get(f"{HOME}/leaf?leaf={line['leaf']}", cookie=admin)).json
    same_shape(EXAMPLES[f"{HOME}/leaf"], opened)
    file = await site.get(f"{HOME}/proof?leaf={line['leaf']}", cookie=admin)
    assert file.body.startswith(b"c2sp.org/tlog-proof@v1\n")
    named = f'attachment; filename="leaf-{line["leaf"]}.tlog-proof"'
    assert file.headers["Content-Disposition"] == named


async def test_exports_are_files(site: Site) -> None:
    admin = await site.admin()
    lines = await site.post(f"{HOME}/export", cookie=admin)
    assert lines.headers["Content-Type"] == "application/jsonl; charset=utf-8"
    assert lines.headers["Content-Disposition"] == 'attachment; filename="audit-log.jsonl"'
    assert json.loads(lines.body.splitlines()[-1])["kind"] == "audit.read"
    table = await site.post(f"{HOME}/export", {"form": "csv", "kind": "audit.read"}, cookie=admin)
    assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert table.headers["Cache-Control"] == "no-store"
    assert table.body.startswith(b'"leaf","time","kind"')


async def test_what_cannot_be_looked_for(site: Site) -> None:
    admin = await site.admin()
    wrong: list[dict[str, object]] = [
        {"kind": "nothing"}, {"from_ms": -1}, {"below": "x"}, {"person": "x" * 201}, {"what": 1},
    ]  # fmt: skip
    for body in wrong:
        assert (await site.post(f"{HOME}/leaves", body, cookie=admin)).code == "invalid"
    answer = await site.post(f"{HOME}/export", {"form": "xls"}, cookie=admin)
    assert answer.code == "invalid"
    assert (await site.get(f"{HOME}/leaf?leaf=99999", cookie=admin)).code == "not_found"


async def test_agents_and_strangers_read_nothing(site: Site) -> None:
    agent = await site.agent()
    for ask, path in (
        (site.get, "state"), (site.post, "leaves"), (site.get, "leaf?leaf=0"),
        (site.get, "proof?leaf=0"), (site.post, "export"),
    ):  # fmt: skip
        assert (await ask(f"{HOME}/{path}", cookie=agent)).code == "not_permitted"
        assert (await ask(f"{HOME}/{path}")).code == "auth.required"


async def test_no_name_stands_in_an_address(site: Site) -> None:
    """Addresses are kept in histories and by proxies: what is looked for is sent as a body."""
    admin = await site.admin()
    for path in ("leaves", "export"):
        answer = await site.get(f"{HOME}/{path}?person=Kuno", cookie=admin)
        assert answer.status == 405


async def test_the_page_is_the_admins(site: Site) -> None:
    agent, admin = await site.agent(), await site.admin()
    page = await site.get("/admin/log", cookie=admin)
    assert (page.status, page.headers["Cache-Control"]) == (200, "no-store")
    assert (await site.get("/admin/log", cookie=agent)).headers["Location"] == "/"
    assert (await site.get("/admin/log")).headers["Location"] == "/signin"
