"""What the parties are told is what is so."""

from avsession.messages import Asked, RecordingChanged
from avsession.session import Presence
from avsession.usecases import views
from tests.avsession.usecases.world import World


async def test_the_recorder_is_seen_exactly_while_the_gate_is_open(world: World) -> None:
    async def seen() -> list[str]:
        async with world.store.read() as tx:
            return [p.role for p in await views.parties(world.app, tx, world.session)]

    assert await seen() == ["agent", "customer"]
    request = await world.record()
    assert await seen() == ["agent", "customer", "recorder"]
    await world.disconnect(world.agent)
    assert await seen() == ["agent", "customer"]
    await world.connect(world.agent)
    await world.withdraw(world.customer, request)
    assert await seen() == ["agent", "customer"]


async def test_presence_and_devices_are_seen(world: World) -> None:
    world.hub.set_media(world.customer.id, microphone=False, camera=True)
    await world.disconnect(world.agent)
    async with world.store.read() as tx:
        agent, customer = await views.parties(world.app, tx, world.session)
    assert agent.presence == Presence.UNKNOWN
    assert (customer.microphone, customer.camera) == (False, True)


async def test_the_question_counts_down_and_names_who_has_answered(world: World) -> None:
    request = await world.ask()
    world.clock.forward(15)
    await world.allow(world.agent)
    ask = world.customer.last(Asked).ask
    assert (ask.request, ask.deadline_ms) == (request, 45_000)
    assert ask.answers == {world.agent.id: "given", world.customer.id: "pending"}
    async with world.store.read() as tx:
        row = await views.request_of(tx, request)
    assert row is not None
    assert row.session == world.session


async def test_on_is_what_capture_obeys(world: World) -> None:
    await world.record()
    status = world.agent.last(RecordingChanged).recording
    gate = world.gate
    assert (status.state, status.recording, status.generation) == (
        "on", gate.recording, gate.generation,
    )  # fmt: skip
    world.app.gate.close(world.session, 0)
    async with world.store.read() as tx:
        told = await views.status(world.app, tx, world.session, await world.state(), "why")
    assert (told.state, told.reason) == ("off", "why")
