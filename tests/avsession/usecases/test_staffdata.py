"""People of the house see what is kept about them, and nobody else's."""

from pyrage.x25519 import Identity

from avsession.records import Account, Detail
from avsession.session import Session
from avsession.signin_records import Passkey
from avsession.storage.tables import TABLES
from avsession.usecases import console, disclosures, holds, review, staffdata
from tests.avsession.usecases.world import AGENT_NAME, CUSTOMER_NAME, LOGIN, World


async def test_an_agent_sees_account_sign_ins_and_sessions_without_the_customer(
    world: World,
) -> None:
    mine = await staffdata.own(world.app, world.staff)
    assert (mine["account"]["login"], mine["account"]["name"]) == (LOGIN, AGENT_NAME)
    assert [one["current"] for one in mine["sign_ins"]] == [True]
    (session,) = mine["sessions"]
    assert session["you"] == world.agent.party.pseudonym
    assert (mine["counts"]["sessions"], mine["counts"]["accesses"]) == (1, 0)
    for other in (CUSTOMER_NAME, world.customer.id, world.customer.party.pseudonym, "adam"):
        assert other not in str(mine)


async def test_an_admin_sees_what_they_opened_and_why(world: World) -> None:
    recording = await world.sealed()
    await review.open_recording(world.app, world.admin, recording, "training", "quality")
    mine = await staffdata.own(world.app, world.admin)
    (access,) = mine["accesses"]
    assert (access["recording"], access["reason"]) == (recording, "training")
    assert mine["sessions"] == []
    assert await world.find(Account)
    assert (await staffdata.own(world.app, world.staff))["accesses"] == []


async def test_everything_that_is_kept_of_who_works_here(world: World) -> None:
    recording = await world.sealed()
    await review.open_recording(world.app, world.admin, recording, "training", "quality")
    await console.take(world.app, "adam", recording, "quality", "for the court")
    placed = await holds.place(
        world.app, world.admin, scope="party", target=world.agent.id, category="claim",
        reason="a case", asked_by="a lawyer", review_ms=world.clock.now_ms() + 1000,
    )  # fmt: skip
    mine = await staffdata.own(world.app, world.staff)
    (session,) = mine["sessions"]
    assert [one["kind"] for one in session["said"]] == ["requested", "given"]
    assert [one["recording"] for one in session["recordings"]] == [recording]
    assert [one["purpose"] for one in session["watched"]] == ["quality"]
    assert session["held"]["category"] == "claim"
    kinds = {one["kind"] for one in mine["log"]}
    assert {"access.granted", "session.created"} <= kinds
    await holds.release(world.app, world.admin, placed["hold"], "the case is over")
    await disclosures.make(
        world.app, world.admin, scope="recording", target=recording, category="authority",
        given_to="District Court", basis="order", basis_text="Order 12", reason="Case 12",
        parts=("records",), recipient=str(Identity.generate().to_public()),
    )  # fmt: skip
    async with world.store.write() as tx:
        await tx.add(
            Passkey(
                id="pky_" + "a" * 26, account=world.admin.account, credential=b"c",
                public_key=b"k", sign_count=0, name="my ring", created_ms=7,
            )
        )  # fmt: skip
    admins = await staffdata.own(world.app, world.admin)
    ring = {"name": "my ring", "created_ms": 7, "used_ms": None}
    assert (admins["account"]["passkeys"], mine["account"]["passkeys"]) == ([ring], [])
    assert [one["reason"] for one in admins["taken"]] == ["for the court"]
    assert [(one["what"], one["reason"]) for one in admins["holds"]] == [
        ("placed", "a case"), ("released", "the case is over"),
    ]  # fmt: skip
    assert [one["given_to"] for one in admins["disclosures"]] == ["District Court"]
    assert admins["counts"] == {
        "sessions": 0, "accesses": 1, "taken": 1, "holds": 2, "disclosures": 1,
        "log": len(admins["log"]),
    }  # fmt: skip
    assert CUSTOMER_NAME not in str(mine) + str(admins)


def test_every_table_that_names_an_account_is_thought_of() -> None:
    """One that comes later must be thought of here, or people are not told of it."""
    naming = {
        kind
        for kind, table in TABLES.items()
        for column in table.c
        if any(key.target_fullname == "account.id" for key in column.foreign_keys)
    }
    others = {Account, Session, Detail}  # itself, by ``created_by``, by its values
    assert naming | others == staffdata.HELD.keys() | staffdata.NOT_HELD.keys()
