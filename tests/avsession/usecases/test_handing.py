"""The desk helps who cannot do it themselves, by a correction, a link, once it is verified who."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from avsession.errors import Conflict, Invalid, LinkSpent, NotFound, NotPermitted, TooMany
from avsession.export_records import Export
from avsession.messages import Parties
from avsession.privacy.requests import Right
from avsession.records import Detail
from avsession.usecases import desk, erasing, evidence, handing, mydata, rights, sessions
from avsession.usecases.limits import SEAT_BURST
from avsession.usecases.stepup import StepUpRequired
from tests.avsession.usecases.test_exports import prepared
from tests.avsession.usecases.world import CUSTOMER_NAME, World

KEY = "k" * 16


async def entered(world: World, right: Right, *, verified: bool = True) -> str:
    """A letter that came to the desk."""
    purposes = ["quality"] if right is Right.OBJECT else []
    made = await desk.enter(world.app, world.admin, world.customer.id, right, "by letter", purposes)
    if verified:
        await desk.verify(world.app, world.admin, made["request"], "She named the last invoice")
    return str(made["request"])


async def test_a_verified_person_gets_a_link_the_old_one_ends_and_it_shows(world: World) -> None:
    await prepared(world)
    request = await entered(world, Right.ACCESS)
    await world.story()
    fresh = await handing.link(world.app, world.admin, request)
    assert await world.story() == "access.granted"
    said = (await world.leaves())[-1]
    assert (said["actor"], said["subject"]) == (
        world.admin.pseudonym, world.customer.party.pseudonym,
    )  # fmt: skip
    assert said["refs"] == {"what": "private_link", "method": "desk", "privacy_request": request}
    with pytest.raises(LinkSpent):
        await mydata.my_data(world.app, world.customer.data_secret)
    mine = await mydata.my_data(world.app, fresh)
    assert (mine["name"], mine["handed"]) == (CUSTOMER_NAME, [world.clock.now_ms()])
    assert (mine["links"], mine["renewed"]) == ([], [])
    assert not await world.find(Export), "what was prepared under the old one goes with it"
    assert world.files("exports") == []
    await desk.answer(world.app, world.admin, request, "You have your link")
    (told,) = (await mydata.my_data(world.app, fresh))["requests"]
    assert told["answer"] == "You have your link"
    report = await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)
    assert report.ok, report.findings


async def of_the_page(world: World) -> str:
    secret = world.customer.data_secret
    return str((await rights.ask(world.app, secret, Right.COMPLAIN, "words", (), KEY))["request"])


async def not_verified(world: World) -> str:
    return await entered(world, Right.ACCESS, verified=False)


async def answered(world: World) -> str:
    request = await entered(world, Right.ACCESS)
    await desk.answer(world.app, world.admin, request, "by letter, too")
    return request


async def refused(world: World) -> str:
    request = await entered(world, Right.ACCESS, verified=False)
    await desk.refuse(world.app, world.admin, request, "It was not her")
    return request


async def carried_out_here(world: World) -> str:
    return await entered(world, Right.ERASE)


@pytest.mark.parametrize("which", [of_the_page, not_verified, answered, refused, carried_out_here])
async def test_no_link_of_any_other_request(
    world: World, which: Callable[[World], Awaitable[str]]
) -> None:
    """Above all of none that the holder of a working link made: it would be theirs no more."""
    request = await which(world)
    await world.story()
    with pytest.raises(Conflict):
        await handing.link(world.app, world.admin, request)
    assert await world.story() == ""
    assert await mydata.my_data(world.app, world.customer.data_secret)


async def test_a_link_is_confirmed_and_they_are_few(world: World) -> None:
    request = await entered(world, Right.EXPORT)
    public = replace(world.app.settings, public_url="https://calls.example.com")
    here, app = world.app.settings, world.app
    object.__setattr__(app, "settings", public)
    with pytest.raises(StepUpRequired):
        await handing.link(app, world.admin, request)
    assert await mydata.my_data(app, world.customer.data_secret)
    object.__setattr__(app, "settings", here)
    last = ""
    for _ in range(SEAT_BURST):
        last = await handing.link(app, world.admin, request)
    with pytest.raises(TooMany):
        await handing.link(app, world.admin, request)
    assert await mydata.my_data(app, last), "what one has goes on working"


async def test_a_correction_by_letter_answers_it_and_is_gone_with_the_person(world: World) -> None:
    request = await entered(world, Right.RECTIFY)
    await world.story()
    kept = await handing.correct(world.app, world.admin, request, "Kuno Kündig", "kuno@example.org")
    assert kept == {"name": "Kuno Kündig", "contact": "kuno@example.org"}
    assert await world.story() == "subject.rectified subject.rectified privacy.answered"
    assert {leaf["actor"] for leaf in (await world.leaves())[-3:]} == {world.admin.pseudonym}
    assert world.agent.last(Parties).parties[-1].name == "Kuno Kündig", "the call shows it"
    mine = await mydata.my_data(world.app, world.customer.data_secret)
    assert (mine["name"], mine["requests"][0]["state"]) == ("Kuno Kündig", "answered")
    with pytest.raises(Conflict):
        await handing.correct(world.app, world.admin, request, "Once More", None)
    await sessions.end_session(world.app, world.session, "test")
    await erasing.by_holder(world.app, world.customer.data_secret)
    assert not await world.find(Detail, field="old")
    report = await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)
    assert report.ok, report.findings


async def test_a_correction_that_was_asked_in_words_on_the_page(world: World) -> None:
    secret = world.customer.data_secret
    made = await rights.ask(world.app, secret, Right.RECTIFY, "It is Kündig", (), KEY)
    await handing.correct(world.app, world.admin, made["request"], "Kuno Kündig", None)
    (told,) = (await mydata.my_data(world.app, secret))["requests"]
    assert told["state"] == "answered"


async def test_nothing_is_corrected_that_nobody_asked_for(world: World) -> None:
    for request in (
        await entered(world, Right.ACCESS),
        await entered(world, Right.RECTIFY, verified=False),
    ):
        with pytest.raises(Conflict):
            await handing.correct(world.app, world.admin, request, "Kunibert", None)
    request = await entered(world, Right.RECTIFY)
    for name, contact in ((CUSTOMER_NAME, ""), (None, None), ("", None), (None, "a")):
        with pytest.raises(Invalid):
            await handing.correct(world.app, world.admin, request, name, contact)
    mine = await mydata.my_data(world.app, world.customer.data_secret)
    assert (mine["name"], mine["preferences"]["contact"]) == (CUSTOMER_NAME, "")


async def test_only_who_has_the_permission(world: World) -> None:
    access, rectify = await entered(world, Right.ACCESS), await entered(world, Right.RECTIFY)
    await world.story()
    attempts: tuple[Awaitable[Any], ...] = (
        handing.link(world.app, world.staff, access),
        handing.correct(world.app, world.staff, rectify, "Kunibert", None),
    )
    for attempt in attempts:
        with pytest.raises(NotPermitted):
            await attempt
    for missing in (
        handing.link(world.app, world.admin, "prv_" + "a" * 26),
        handing.link(world.app, world.admin, "stq_" + "a" * 26),
    ):
        with pytest.raises(NotFound):
            await missing
    assert await world.story() == ""
