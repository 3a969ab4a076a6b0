"""The certificate of a destruction reaches everyone whom it concerns, and nobody else."""

from typing import Any

import pytest

from avsession.audit import certificate as documents
from avsession.errors import LinkSpent, NotFound, NotPermitted, Unavailable
from avsession.records import Certificate
from avsession.usecases import certificates, mydata, review, sessions
from tests.avsession.usecases.world import World

KEY = "k" * 32


async def destroyed_later(world: World) -> tuple[str, str]:
    """After the call, by the customer's private link; the recording and the agent's link."""
    recording = await world.sealed()
    request = world.recorder.grant.request
    link = await mydata.renew_link(world.app, world.agent.party)
    await sessions.end_session(world.app, world.session, "test")
    await mydata.withdraw(world.app, world.customer.data_secret, request, "destroy", KEY)
    return recording, link


async def test_by_the_private_link_it_is_the_same_road(world: World) -> None:
    recording, _ = await destroyed_later(world)
    row = await world.only(Certificate)
    assert (row.recording, row.party, row.reason) == (recording, world.customer.id, "withdrawn")
    assert world.files("keys") == world.files("objects") == []
    assert "recording.erased" in await world.story()


async def test_both_parties_find_it_on_their_private_page(world: World) -> None:
    recording, agents_link = await destroyed_later(world)
    for link in (world.customer.data_secret, agents_link):
        (seen,) = (await mydata.my_data(world.app, link))["recordings"]
        assert (seen["recording"], seen["state"], seen["mine_erased"]) == (
            recording, "erased", True,
        )  # fmt: skip
        (said,) = seen["certificates"]
        assert (said["by"], said["reason"], said["whole"]) == ("customer", "withdrawn", True)
        assert sorted(said["roles"]) == ["agent", "customer"]
        whole = await mydata.certificate(world.app, link, said["certificate"])
        row = await world.only(Certificate)
        assert whole["certificate"] == row.document
        assert whole["sha256"] == documents.digest(row.document)
        assert whole["leaf"] == row.leaf


async def test_the_other_is_told_of_one_track_too(world: World) -> None:
    await world.sealed()
    request = world.recorder.grant.request
    await world.withdraw(world.agent, request)
    await world.choose(world.agent, request, "destroy")
    (seen,) = (await mydata.my_data(world.app, world.customer.data_secret))["recordings"]
    (said,) = seen["certificates"]
    assert (seen["state"], seen["mine_erased"]) == ("sealed", False)
    assert (said["by"], said["whole"], said["roles"]) == ("agent", False, ["agent"])


async def test_an_admin_sees_it_beside_the_recording(world: World) -> None:
    await destroyed_later(world)
    story = await review.session(world.app, world.admin, world.session)
    (seen,) = story["recordings"]
    (said,) = seen["certificates"]
    whole = await certificates.for_admin(world.app, world.admin, said["certificate"])
    assert whole["certificate"]["why"] == "withdrawn"
    with pytest.raises(NotPermitted):
        await certificates.for_admin(world.app, world.staff, said["certificate"])


async def test_who_destroys_because_of_time(world: World) -> None:
    await world.sealed("quality")
    await world.later(31 * 86_400)
    row = await world.only(Certificate)
    document: Any = row.document
    assert (row.party, document["by"], document["why"]) == (None, {"role": "server"}, "retention")
    (seen,) = (await mydata.my_data(world.app, world.customer.data_secret))["recordings"]
    assert seen["certificates"][0]["by"] == "server"


async def test_a_stranger_gets_none(world: World) -> None:
    await destroyed_later(world)
    row = await world.only(Certificate)
    _, stranger = await world.new_call(world.staff)
    with pytest.raises(NotFound):
        await mydata.certificate(world.app, stranger.data_secret, row.id)
    with pytest.raises(LinkSpent):
        await mydata.certificate(world.app, "x" * 43, row.id)
    with pytest.raises(NotFound):
        await certificates.for_admin(world.app, world.admin, "cer_" + "a" * 26)


async def test_there_is_none_before_it_is_done(world: World) -> None:
    await world.sealed()
    request = world.recorder.grant.request

    async def stuck(prefix: str) -> int:
        raise Unavailable

    world.app.objects.remove = stuck  # type: ignore[method-assign]
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    row = await world.only(Certificate)
    with pytest.raises(NotFound):
        await mydata.certificate(world.app, world.customer.data_secret, row.id)
    (seen,) = await review.recordings(world.app, world.admin, 2**53, 9)
    assert (seen["state"], seen["certificates"][0]["done_ms"]) == ("erasing", None)
