"""What the recorder's tests share: a signaling server, a worker of it, browsers that answer."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from avsession.messages import LegOffer
from tests.recorder.publishers import AiortcPublisher
from tests.recorder.signaling_stub import Running, Signaling, answer_with


@pytest.fixture
async def signaling(tmp_path: Path) -> AsyncIterator[Signaling]:
    made = Signaling(tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def running(signaling: Signaling) -> AsyncIterator[Running]:
    made = Running(signaling)
    await signaling.until(lambda: signaling.hello)
    yield made
    await made.stop()


@pytest.fixture
async def publishers(signaling: Signaling) -> AsyncIterator[list[AiortcPublisher]]:
    """Answers each offer with a new aiortc peer."""
    made: list[AiortcPublisher] = []

    async def answer(offer: LegOffer) -> None:
        made.append(AiortcPublisher())
        await answer_with(signaling, offer, await made[-1].answer(offer.sdp))

    signaling.on_offer = answer
    yield made
    for publisher in made:
        await publisher.close()
