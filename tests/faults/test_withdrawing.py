"""Taking consent back: whenever it is said, it stops, and nobody watches what may be destroyed."""

from __future__ import annotations

from tests.faults.outside import Outside, ask_of, key
from tests.faults.taken import Worker


async def test_a_withdrawal_right_behind_the_consent(out: Outside) -> None:
    """The page says both in one breath: the withdrawal must not overtake what it takes back."""
    agent, customer = await out.call(await out.sign_in("agent"))
    worker = Worker(out)
    await worker.join()
    await agent.wire.ask("recording.request", purposes=["quality"])
    request, notice = ask_of(await customer.wire.hear("recording.asked"))
    shown = {"request": request, "notice": notice, "language": "en"}
    given = shown | {"purposes": ["quality"]}
    assert (await agent.wire.ask("consent.give", **given))["type"] == "ack"
    give, withdraw = key(), key()
    await customer.wire.say("consent.shown", **shown)
    await customer.wire.say("consent.give", key=give, **given)
    await customer.wire.say("consent.withdraw", key=withdraw, request=request)
    assert (await customer.wire.hear("ack", "error", key=give))["type"] == "ack"
    assert (await customer.wire.hear("ack", "error", key=withdraw))["type"] == "ack"
    events = out.product.rows("select kind from consent_event order by leaf")
    assert [event["kind"] for event in events][-2:] == ["given", "withdrawn"]
    await worker.settle()
    live = [said["live"] for said in worker.wire.heard if said["type"] == "recorder.heartbeat"]
    assert live[-1] == []
    states = {row["state"] for row in out.product.rows("select state from recording")}
    assert states <= {"closing", "interrupted", "sealed", "erased"}
