"""The private link's export over HTTP: a cookie, ranges, validators, and nobody else's."""

import io
import zipfile

from avsession.usecases import preparing
from tests.web.support import Answer, Site, Story, cookie_of, same_shape
from web.api.exports import ROUTES

EXAMPLES = {route.path: route.answer for route in ROUTES}


async def ready(site: Site, story: Story) -> str:
    secret = story.call.secret
    made = await site.post("/api/my-data/exports/start", {"secret": secret, "language": "de"})
    same_shape(EXAMPLES["/api/my-data/exports/start"], made.json)
    assert made.json["state"] == "waiting"
    assert await preparing.prepare_next(site.app)
    listed = await site.post("/api/my-data/exports", {"secret": secret})
    same_shape(EXAMPLES["/api/my-data/exports"], listed.json)
    (row,) = listed.json["exports"]
    assert row["state"] == "ready"
    return str(row["export"])


async def allowed(site: Site, story: Story, export: str) -> tuple[str, str]:
    """Where it is, and the cookie that opens it."""
    body = {"secret": story.call.secret, "export": export}
    answer = await site.post("/api/my-data/exports/allow", body)
    same_shape(EXAMPLES["/api/my-data/exports/allow"], answer.json)
    (cookie,) = answer.cookies.values()
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["path"]) == (
        True, True, "Strict", "/",
    )  # fmt: skip
    assert cookie.key == "__Host-export"
    assert story.call.secret not in answer.json["url"] + cookie.value
    return str(answer.json["url"]), cookie_of(answer)


async def test_downloaded_whole_and_in_parts(site: Site, story: Story) -> None:
    export = await ready(site, story)
    url, cookie = await allowed(site, story, export)
    whole = await site.get(url, cookie=cookie)
    assert whole.status == 200
    assert whole.headers["Content-Type"] == "application/zip"
    assert whole.headers["Content-Disposition"].startswith('attachment; filename="my-data-')
    assert whole.headers["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(whole.body)) as found:
        assert found.testzip() is None
        name = next(n for n in found.namelist() if n.endswith("customer.webm"))
        for frame in story.recorded.frames[story.call.customer]:
            assert frame in found.read(name)
    etag, size = whole.headers["ETag"], len(whole.body)

    async def part(**headers: str | None) -> Answer:
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        return await site.get(url, cookie=cookie, headers=sent)

    begun = await part(Range="bytes=0-9999")
    rest = await part(Range="bytes=10000-", If_Range=etag)
    assert (begun.status, rest.status) == (206, 206)
    assert rest.headers["Content-Range"] == f"bytes 10000-{size - 1}/{size}"
    assert begun.body + rest.body == whole.body
    for validator in ('"another"', etag.strip('"'), f"W/{etag}"):
        changed = await part(Range="bytes=10000-", If_Range=validator)
        assert (changed.status, changed.body) == (200, whole.body), "begin again"
    assert (await part(Range=f"bytes={size}-")).status == 416


async def test_nobody_else_downloads_it(site: Site, story: Story) -> None:
    export = await ready(site, story)
    url, cookie = await allowed(site, story, export)
    name, _, value = cookie.partition("=")
    wrong = f"{name}={value[:-2]}{'AA' if value[-2:] != 'AA' else 'BB'}"
    for other in (None, story.admin, story.agent, story.call.seat, f"{name}=x", wrong):
        answer = await site.get(url, cookie=other)
        assert (answer.status, answer.code) == (404, "not_found")
    another = url.replace(export, "exp_" + "a" * 26)
    assert (await site.get(another, cookie=cookie)).code == "not_found"
    assert (await site.get(url, cookie=cookie)).status == 200


async def test_what_is_refused(site: Site, story: Story) -> None:
    secret = story.call.secret
    for path in ("", "/start", "/allow", "/remove"):
        body = {"secret": "x" * 43, "export": "exp_" + "a" * 26}
        body = body if path in ("/allow", "/remove") else {"secret": body["secret"]}
        answer = await site.post(f"/api/my-data/exports{path}", body)
        assert (answer.status, answer.code) == (410, "link.spent")
    nothing = {"secret": secret, "export": "exp_" + "a" * 26}
    for path in ("/allow", "/remove"):
        answer = await site.post(f"/api/my-data/exports{path}", nothing)
        assert (answer.status, answer.code) == (404, "not_found")
    start = await site.post("/api/my-data/exports/start", {"secret": secret, "language": "xx"})
    assert start.code == "invalid"
    await site.post("/api/my-data/exports/start", {"secret": secret})
    again = await site.post("/api/my-data/exports/start", {"secret": secret})
    assert (again.status, again.code) == (409, "conflict")
    (row,) = (await site.post("/api/my-data/exports", {"secret": secret})).json["exports"]
    early = await site.post(
        "/api/my-data/exports/allow", {"secret": secret, "export": row["export"]}
    )
    assert (early.status, early.code) == (409, "conflict")


async def test_removed_by_its_person(site: Site, story: Story) -> None:
    export = await ready(site, story)
    url, cookie = await allowed(site, story, export)
    body = {"secret": story.call.secret, "export": export}
    answer = await site.post("/api/my-data/exports/remove", body)
    same_shape(EXAMPLES["/api/my-data/exports/remove"], answer.json)
    assert (await site.get(url, cookie=cookie)).status == 404
