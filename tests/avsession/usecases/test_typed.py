"""Free text of the staff: it goes with whom it is about or names, and stays with the other."""

import pytest
from pyrage.x25519 import Identity

from avsession.audit.verify import Report
from avsession.export_records import Disclosure, Taken
from avsession.records import Access, Detail, Hold
from avsession.usecases import disclosures, erasing, evidence, holds, review, sessions, typed
from tests.avsession.usecases.world import World

DAY_MS = 86_400_000


async def typed_about(world: World, recording: str) -> None:
    """What staff typed of the agent, of the call, and of the customer."""
    await review.open_recording(world.app, world.admin, recording, "training of Amtmann", "quality")
    world.clock.forward(0.001)  # one after the other, as they are listed
    await review.open_recording(world.app, world.admin, recording, "kundigs invoice", "quality")
    for scope, target, why in (
        ("party", world.agent.id, "Amtmann left early"),
        ("session", world.session, "a random sample"),
        ("party", world.customer.id, "he threatened to sue"),
    ):
        hold = await holds.place(
            world.app, world.admin, scope=scope, target=target, category="claim", reason=why,  # type: ignore[arg-type]
            asked_by="the works council", review_ms=world.clock.now_ms() + DAY_MS,
        )  # fmt: skip
        await holds.release(world.app, world.admin, hold["hold"], f"no more: {why}")
        await disclosures.make(
            world.app, world.admin, scope=scope, target=target, category="authority",  # type: ignore[arg-type]
            given_to="a court", basis="order", basis_text=f"file on: {why}", reason=why,
            parts=("records", "media") if target == world.agent.id else ("records",),
            recipient=str(Identity.generate().to_public()),
        )  # fmt: skip


async def typed_words(world: World) -> dict[str, bool]:
    """Whether each of the texts of :func:`typed_about` is kept; never in one place only."""
    rows = "".join(map(str, [
        await world.find(Access), await world.find(Hold),
        await world.find(Disclosure), await world.find(Taken),
    ]))  # fmt: skip
    details = "".join(detail.value.decode() for detail in await world.find(Detail))
    words = (
        "training of Amtmann", "Amtmann left early", "no more: Amtmann", "a random sample",
        "file on: a random", "kundigs invoice", "he threatened to sue", "no more: he",
    )  # fmt: skip
    assert [word in rows for word in words] == [word in details for word in words]
    return {word: word in rows for word in words}


async def test_a_hold_on_the_other_keeps_its_words(world: World) -> None:
    """The customer has no recording, so the hold on the agent keeps nothing of theirs."""
    await holds.place(
        world.app, world.admin, scope="party", target=world.agent.id, category="duty",
        reason="Kundig sues Amtmann", asked_by="court", review_ms=world.clock.now_ms() + DAY_MS,
    )  # fmt: skip
    await sessions.end_session(world.app, world.session, "test")
    before = await world.only(Hold)
    assert (await erasing.by_holder(world.app, world.customer.data_secret))["state"] == "erased"
    assert await world.only(Hold) == before
    report = await verified(world)
    assert report.ok, report.findings


async def verified(world: World) -> Report:
    return await evidence.verify(world.store, world.app.notary.key, world.app.notary.anchors)


CALLED = typed.Names(
    ["Kuno Kundig-Öz", "K. Kundig", "Li", "kuno@example.org", "+41 79 123 45 67", "\u5f20\u4f1f"]
)


@pytest.mark.parametrize(
    "text",
    [
        "about KUNDIG", "Kundigs Rechnung", "Kundig's bill", "mr \u00f6z-kundig", "kuno rang",
        "mail to Kuno@Example.org", "call 079 / 123 45 67", "\u5173\u4e8e\u5f20\u4f1f", "li, again",
        "\uff2b\uff35\uff2e\uff24\uff29\uff27",
    ],
)  # fmt: skip
def test_a_text_that_names_them(text: str) -> None:
    assert CALLED.are_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "training", "a kundigram was seen", "police", "case 4711", "k", "example.org",
        "\u5173\u4e8e\u674e",
    ],
)  # fmt: skip
def test_a_text_that_does_not(text: str) -> None:
    assert not CALLED.are_in(text)


def test_nobody_is_named_by_nothing() -> None:
    assert not typed.Names(["", " ", "A"]).are_in("a b c")
