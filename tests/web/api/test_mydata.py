import pytest

from avsession.records import ConsentEvent
from avsession.session import Party
from tests.web.support import Site, Story, same_shape
from web.app import TABLE

EXAMPLES = {route.path: route.answer for route in TABLE}
KEY = "0123456789abcdef"


async def test_everything_that_is_kept(site: Site, story: Story) -> None:
    answer = await site.post("/api/my-data", {"secret": story.call.secret})
    same_shape(EXAMPLES["/api/my-data"], answer.json)
    data = answer.json
    assert (data["name"], data["role"]) == ("Ben", "customer")
    assert [event["kind"] for event in data["events"]] == ["shown", "given"]
    assert all(event["party"] == story.call.customer for event in data["events"])
    assert data["events"][1]["notice"] in data["notices"]
    (recording,) = data["recordings"]
    assert recording["recording"] == story.recorded.recording
    assert recording["can_withdraw"] is True


async def test_who_watched_and_why_is_told(site: Site, story: Story) -> None:
    await site.post(
        f"/api/admin/recordings/{story.recorded.recording}/open",
        {"reason": "Complaint 4711", "purpose": "quality"},
        cookie=story.admin,
    )
    (access,) = (await site.post("/api/my-data", {"secret": story.call.secret})).json["accesses"]
    assert (access["reason"], access["purpose"]) == ("Complaint 4711", "quality")
    assert "Admin" not in access["by"], "not which person"


@pytest.mark.parametrize("fate", ["keep", "destroy"])
async def test_withdrawing_after_the_call(site: Site, story: Story, fate: str) -> None:
    body = {
        "secret": story.call.secret,
        "request": story.recorded.request,
        "fate": fate,
        "key": KEY,
    }
    answer = await site.post("/api/my-data/withdraw", body)
    assert answer.status == 200
    same_shape(EXAMPLES["/api/my-data/withdraw"], answer.json)
    (recording,) = (await site.post("/api/my-data", {"secret": story.call.secret})).json[
        "recordings"
    ]
    assert (recording["withdrawn"], recording["fate"]) == (True, fate)
    assert recording["can_withdraw"] is False
    assert (recording["state"] == "erased") == (fate == "destroy")
    again = await site.post("/api/my-data/withdraw", body)
    assert again.status == 200, "a repeat under the same key changes nothing"
    async with site.app.store.read() as tx:
        assert await tx.count(ConsentEvent, kind="withdrawn") == 1


async def test_another_s_request_is_not_mine(site: Site, story: Story) -> None:
    other = await site.call(await site.agent())
    body = {
        "secret": other.secret,
        "request": story.recorded.request,
        "fate": "destroy",
        "key": KEY,
    }
    answer = await site.post("/api/my-data/withdraw", body)
    assert 400 <= answer.status < 500
    async with site.app.store.read() as tx:
        assert await tx.count(ConsentEvent, kind="withdrawn") == 0
        assert len(await tx.find(Party, session=story.call.session)) == 2


@pytest.mark.parametrize("path", ["/api/my-data", "/api/my-data/withdraw"])
async def test_a_guessed_link(site: Site, story: Story, path: str) -> None:
    body = {"secret": "a" * 43}
    if path.endswith("withdraw"):
        body |= {"request": story.recorded.request, "fate": "keep", "key": KEY}
    answer = await site.post(path, body)
    assert (answer.status, answer.code) == (410, "link.spent")


async def test_the_seat_or_the_invitation_is_not_the_link(site: Site, story: Story) -> None:
    seat = story.call.seat.partition("=")[2]
    assert (await site.post("/api/my-data", {"secret": seat})).status == 410


@pytest.mark.parametrize(
    "wrong",
    [{"fate": "sell"}, {"key": "short"}, {"request": "x"}, {"party": "pty_" + "a" * 26}],
)
async def test_a_withdrawal_that_is_not_one(
    site: Site, story: Story, wrong: dict[str, str]
) -> None:
    body = {"secret": story.call.secret, "request": story.recorded.request, "key": KEY}
    answer = await site.post("/api/my-data/withdraw", {**body, **wrong})
    assert (answer.status, answer.code) == (400, "invalid")
