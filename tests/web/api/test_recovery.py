"""A receipt's file over the API: larger than other bodies, and bounded all the same."""

from tests.web.support import Site, Story
from web.api.recovery import MAX_BODY
from web.routing import MAX_BODY as OTHERS

PATH = "/api/my-data/by-receipt"


async def test_a_receipt_opens_a_fresh_link(site: Site, story: Story) -> None:
    events = (await site.post("/api/my-data", {"secret": story.call.secret})).json["events"]
    (given,) = [event["event"] for event in events if event["kind"] == "given"]
    wanted = {"secret": story.call.secret, "event": given}
    file = (await site.post("/api/my-data/receipt", wanted)).body.decode()
    answer = await site.post(PATH, {"receipt": file})
    assert answer.status == 200
    fresh = answer.json["data_url"].partition("#")[2]
    assert (await site.post("/api/my-data", {"secret": fresh})).json["name"] == "Ben"
    assert (await site.post("/api/my-data", {"secret": story.call.secret})).status == 410


async def test_longer_than_other_bodies_but_not_without_end(site: Site) -> None:
    long = await site.post(PATH, {"receipt": "x" * 2 * OTHERS})
    assert (long.status, long.code) == (400, "receipt.invalid")
    longer = await site.post(PATH, {"receipt": "x" * (MAX_BODY // 2 + 1)})
    assert (longer.status, longer.code) == (400, "invalid")
    longest = await site.ask("POST", PATH, data=b'{"receipt": "' + b"x" * MAX_BODY + b'"}')
    assert (longest.status, longest.code) == (413, "too_large")
