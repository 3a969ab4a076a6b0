"""Asking, answering, taking back: the stories, and everything that a page may not do."""

import msgspec
import pytest

from avsession.errors import (
    AlreadyAnswered,
    AskingEnded,
    AvsessionError,
    Conflict,
    NotFound,
    NoticeMismatch,
    NotPermitted,
    PurposesRefused,
    RequestOver,
    SessionOver,
    TooMany,
)
from avsession.messages import (
    Asked,
    AskOver,
    ChooseFate,
    GiveConsent,
    MoreTime,
    NoticeShown,
    RecordingChanged,
    RequestRecording,
    WithdrawConsent,
)
from avsession.records import ConsentEvent, Notice, Recording, RecordingRequest
from avsession.usecases import consent, sessions
from tests.avsession.usecases.world import World


async def refused(world: World, message: GiveConsent, error: type[AvsessionError]) -> None:
    """The customer's ``given`` is turned away, and nothing has changed."""
    before, leaves = await world.state(), len(await world.leaves())
    with pytest.raises(error):
        await consent.give(world.app, world.customer.id, message)
    assert await world.state() == before
    assert len(await world.leaves()) == leaves
    assert not await world.find(ConsentEvent, party=world.customer.id, kind="given")


# --- asking


async def test_everyone_is_asked_the_agent_too(world: World) -> None:
    request = await world.ask("quality", "evidence")
    for person in (world.agent, world.customer):
        ask = person.last(Asked).ask
        assert (ask.request, ask.by) == (request, world.agent.id)
        assert ask.purposes == ("quality", "evidence")
        assert (ask.deadline_ms, ask.warn_ms) == (60_000, 20_000)
        assert ask.answers == {world.agent.id: "pending", world.customer.id: "pending"}
        assert {text.language for text in ask.notices} == {"en", "de"}


async def test_the_bytes_that_are_shown_are_archived_under_their_hash(world: World) -> None:
    await world.ask()
    row = await world.only(RecordingRequest)
    for text in world.customer.last(Asked).ask.notices:
        notice = await world.only(Notice, sha256=text.sha256)
        assert notice.text == text.text.encode()
        assert row.notices[text.language] == text.sha256


async def test_only_the_agent_asks_only_for_configured_purposes_only_once(world: World) -> None:
    ask = RequestRecording(purposes=("quality",), key=world.key())
    with pytest.raises(NotPermitted):
        await consent.request_recording(world.app, world.customer.id, ask)
    for purposes in ((), ("advertising",), ("quality", "advertising")):
        message = RequestRecording(purposes=purposes, key=world.key())
        with pytest.raises(PurposesRefused):
            await consent.request_recording(world.app, world.agent.id, message)
    await world.ask()
    with pytest.raises(Conflict):
        await world.ask()
    assert len(await world.find(RecordingRequest)) == 1


async def test_the_same_key_is_the_same_request(world: World) -> None:
    key = world.key()
    first = await world.ask(key=key)
    assert await world.ask(key=key) == first
    with pytest.raises(Conflict):
        await world.ask("evidence", key=key)
    assert len(await world.find(RecordingRequest)) == 1


async def test_two_refusals_end_the_asking(world: World) -> None:
    for _ in range(2):
        await world.decline(world.customer, await world.ask())
    assert world.agent.last(RecordingChanged).recording.may_ask is False
    with pytest.raises(AskingEnded):
        await world.ask()


async def test_asking_again_and_again_has_an_end(world: World) -> None:
    for _ in range(consent.MAX_REQUESTS):
        await world.stop(world.agent, await world.ask())
    with pytest.raises(TooMany):
        await world.ask()


# --- declining and silence


async def test_declining_changes_nothing_about_the_call(world: World) -> None:
    await world.recorder.join()
    request = await world.ask()
    await world.allow(world.agent)
    await world.decline(world.customer, request)
    assert world.agent.last(AskOver).outcome == "refused"
    assert world.agent.ended is world.customer.ended is None
    assert not world.recorder.heard
    assert not await world.find(Recording)
    assert not world.files("keys")
    assert await world.story() == (
        "notice.published notice.published recording.requested consent.given consent.refused"
    )


async def test_silence_is_no(world: World) -> None:
    await world.ask()
    await world.allow(world.agent)
    await world.later(59.9)
    assert not world.agent.all(AskOver)
    message = await world.allowing()
    await world.later(0.2)
    assert world.customer.last(AskOver).outcome == "expired"
    expired = await world.only(ConsentEvent, kind="expired")
    assert expired.party == world.customer.id
    assert expired.document["acted_by"] == "server"
    await refused(world, message, RequestOver)


async def test_an_answer_after_the_deadline_is_too_late_even_before_anyone_noticed(
    world: World,
) -> None:
    await world.ask()
    await world.allow(world.agent)
    world.clock.forward(60)
    await refused(world, await world.allowing(), RequestOver)


async def test_more_time_for_those_who_need_it(world: World) -> None:
    request = await world.ask()
    world.clock.forward(50)
    await consent.more_time(world.app, world.customer.id, MoreTime(request=request))
    assert world.agent.last(Asked).ask.deadline_ms == 60_000
    await world.later(59)
    await world.allow(world.customer)
    for _ in range(9):
        await consent.more_time(world.app, world.customer.id, MoreTime(request=request))
    with pytest.raises(Conflict):
        await consent.more_time(world.app, world.customer.id, MoreTime(request=request))


# --- what a page may not say


async def test_nobody_can_answer_for_another(world: World) -> None:
    """There is no field for it: who speaks is the connection's party, in every message."""
    for message in (GiveConsent, NoticeShown, WithdrawConsent, ChooseFate, RequestRecording):
        fields = {field.name for field in msgspec.structs.fields(message)}
        assert not fields & {"party", "sender", "by", "owner", "actor", "role"}
    await world.ask()
    await world.allow(world.agent)
    given = await world.only(ConsentEvent, kind="given")
    assert given.party == world.agent.id
    state = await world.state()
    answers = {seat.party: str(seat.answer) for seat in state.seats}
    assert answers == {world.agent.id: "given", world.customer.id: "pending"}


async def test_an_older_request(world: World) -> None:
    await world.ask()
    old = await world.allowing()
    await world.stop(world.agent, old.request)
    await world.ask()
    await refused(world, old, RequestOver)


async def test_another_sessions_request(world: World) -> None:
    other_agent, other_customer = await world.new_call(world.staff)
    ask = RequestRecording(purposes=("quality",), key=world.key())
    answer = await consent.request_recording(world.app, other_agent.id, ask)
    theirs = await world.allowing(request=answer["request"])
    await refused(world, theirs, RequestOver)
    await world.ask()
    await refused(world, theirs, RequestOver)
    for person in (other_agent, other_customer):
        assert not person.all(AskOver)
        assert person.last(Asked).ask.answers[other_customer.id] == "pending"


async def test_twice(world: World) -> None:
    await world.ask()
    message = await world.allowing(by=world.agent)
    first = await consent.give(world.app, world.agent.id, message)
    assert await consent.give(world.app, world.agent.id, message) == first
    with pytest.raises(AlreadyAnswered):
        await world.allow(world.agent)
    with pytest.raises(Conflict):
        await consent.give(
            world.app, world.agent.id, msgspec.structs.replace(message, notice="0" * 64)
        )
    assert len(await world.find(ConsentEvent, kind="given")) == 1
    # A key is its party's own: the customer may happen to use the same.
    theirs = await world.allowing(key=message.key)
    await consent.give(world.app, world.customer.id, theirs)


async def test_another_notice(world: World) -> None:
    await world.ask("evidence")
    other = (await world.only(RecordingRequest)).notices["en"]
    await world.stop(world.agent, (await world.only(RecordingRequest)).id)
    await world.ask("quality")
    await refused(world, await world.allowing(notice=other), NoticeMismatch)
    await refused(world, await world.allowing(notice="0" * 64), NoticeMismatch)


async def test_another_languages_notice(world: World) -> None:
    await world.ask()
    notices = (await world.only(RecordingRequest)).notices
    await refused(world, await world.allowing(notice=notices["de"]), NoticeMismatch)
    message = msgspec.structs.replace(await world.allowing(), language="fr")
    await refused(world, message, NoticeMismatch)


@pytest.mark.parametrize("purposes", [(), ("evidence",), ("quality", "evidence"), ("x",)])
async def test_other_purposes_than_were_asked_for(world: World, purposes: tuple[str, ...]) -> None:
    await world.ask("quality")
    message = msgspec.structs.replace(await world.allowing(), purposes=purposes)
    await refused(world, message, PurposesRefused)


async def test_after_the_session(world: World) -> None:
    await world.ask()
    message = await world.allowing()
    await sessions.end_session(world.app, world.session, "test")
    await refused(world, message, SessionOver)
    with pytest.raises(SessionOver):
        await world.ask()


async def test_by_nobody(world: World) -> None:
    await world.ask()
    with pytest.raises(NotFound):
        await consent.give(world.app, "pty_" + "a" * 26, await world.allowing())


# --- what was shown


async def test_what_was_shown_is_written_down_a_bounded_number_of_times(world: World) -> None:
    request = await world.ask()
    notices = (await world.only(RecordingRequest)).notices
    message = NoticeShown(request=request, notice=notices["de"], language="de")
    for _ in range(consent.MAX_SHOWN):
        await consent.shown(world.app, world.customer.id, message)
    with pytest.raises(TooMany):
        await consent.shown(world.app, world.customer.id, message)
    event = (await world.find(ConsentEvent, kind="shown"))[0]
    assert event.document["notice"] == {
        "id": "recording", "version": "1", "language": "de", "sha256": notices["de"],
    }  # fmt: skip


async def test_what_cannot_have_been_shown_is_refused(world: World) -> None:
    request = await world.ask()
    notices = (await world.only(RecordingRequest)).notices
    wrong = NoticeShown(request=request, notice=notices["en"], language="de")
    with pytest.raises(NoticeMismatch):
        await consent.shown(world.app, world.customer.id, wrong)
    right = NoticeShown(request=request, notice=notices["en"], language="en")
    _, stranger = await world.new_call(world.staff)
    with pytest.raises(RequestOver):
        await consent.shown(world.app, stranger.id, right)
    await world.decline(world.customer, request)
    with pytest.raises(RequestOver):
        await consent.shown(world.app, world.customer.id, right)
