"""Hundreds of sessions, one person in several of them, erased: no trace of them is left anywhere.

What is searched: every file of the deployment (the database with its free pages and write-ahead
log, objects, keys, parcels), the service's log, and what can still be taken out afterwards: the
other party's export, packages of disclosures, the audit log's export, everybody's own page.
"""

import gzip
import io
import json
import logging
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pyrage
import pytest

from avsession.audit import receipt as receipt_files
from avsession.canonical import canonical
from avsession.errors import AvsessionError, NotFound
from avsession.export_records import Disclosure, Export
from avsession.logs import QUIET, JsonFormatter
from avsession.privacy.requests import Right
from avsession.records import ConsentEvent, Detail, Notice, PartyKey
from avsession.session import Party
from avsession.usecases import (
    desk,
    disclosures,
    erasing,
    exports,
    holds,
    logbook,
    mydata,
    preparing,
    receipts,
    review,
    rights,
    sessions,
)
from avsession.usecases.tokens import secret_hash
from tests.avsession.usecases.parts import Person
from tests.avsession.usecases.test_exports import unpacked
from tests.avsession.usecases.test_forgetting import forms
from tests.avsession.usecases.test_typed import verified
from tests.avsession.usecases.world import World
from tests.support.engines import sqlite_only

OTHERS, CALLED, RECORDED = 200, 20, 3
"""Sessions of other people; how many of them were calls, and were recorded."""
NAME, CORRECTED, CONTACT = (
    "Zenobia Quastenfloh",
    "Zenobia Quastenfloh-Wiedehopf",
    "zeno@qfl.example",
)
COMPLAINT, REASON = "my landlady listens in", "quastenfloh's third complaint"
RECIPIENT = pyrage.x25519.Identity.generate()
DAY_MS = 86_400_000


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """The service's log, at its most talkative, in a file."""
    handler, root = logging.FileHandler(path), logging.getLogger()
    handler.setFormatter(JsonFormatter())
    quiet = {name: logging.getLogger(name).level for name in QUIET}
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        for name, before in quiet.items():
            logging.getLogger(name).setLevel(before)
        handler.close()


class Search:
    """Looks for words, in every form in which one can stand: plain, hex, base64, JSON."""

    def __init__(self) -> None:
        self.words: set[bytes] = set()

    def add(self, *words: str | bytes) -> None:
        for word in words:
            data = word if isinstance(word, bytes) else word.encode()
            self.words |= {data, data.lower(), data.upper()}

    def inside(self, data: bytes) -> set[bytes]:
        """The words that stand in it."""
        return {word for word in self.words for form in forms(word) if form in data}

    def files(self, folder: Path) -> dict[str, set[bytes]]:
        """The files in which any stands, and in whose names."""
        found = {}
        for path in sorted(folder.rglob("*")):
            data = str(path.relative_to(folder)).encode()
            data += path.read_bytes() if path.is_file() else b""
            if words := self.inside(data):
                found[path.name] = words
        return found


async def others(world: World) -> list[str]:
    """Everybody else: invited, come, gone; some called, declined, or were recorded. Their links."""
    links = []
    for n in range(OTHERS):
        world.clock.forward(60)
        if n < CALLED:
            world.agent, world.customer = await world.new_call(world.staff)
            world.session = world.agent.party.session
            if n < RECORDED:
                await world.sealed(seconds=2)
            else:
                await world.decline(world.customer, await world.ask())
            links.append(world.customer.data_secret)
        else:
            made = await sessions.create_session(world.app, world.staff, "en")
            claimed = await sessions.claim(world.app, made.secret, f"Somebody {n}", "en")
            world.session = made.session.id
            links.append(claimed.data_secret)
        await sessions.end_session(world.app, world.session, "test")
    return links


async def theirs(world: World, search: Search) -> tuple[Person, str, bytes]:
    """A session of the person's, with everything in it; whose it is, the agent's link to it, and
    a receipt that the person has."""
    world.clock.forward(3600)
    world.agent, world.customer = await world.new_call(world.staff)
    world.session, secret = world.agent.party.session, world.customer.data_secret
    recording = await world.sealed(seconds=2)
    agents = await mydata.renew_link(world.app, world.agent.party)
    await rights.rectify(world.app, secret, NAME, None)
    await rights.rectify(world.app, secret, CORRECTED, CONTACT)
    await rights.ask(world.app, secret, Right.COMPLAIN, COMPLAINT, (), "k" * 32)
    await rights.ask(world.app, secret, Right.OBJECT, COMPLAINT, ("quality",), "l" * 32)
    (wait,) = [
        one for one in (await mydata.my_data(world.app, secret))["requests"]
        if one["right"] == "object"
    ]  # fmt: skip
    await rights.withdraw_request(world.app, secret, wait["request"])
    entered = await desk.enter(
        world.app, world.admin, world.customer.id, Right.ACCESS, f"{NAME} wrote a letter"
    )
    await desk.verify(world.app, world.admin, entered["request"], f"passport of {NAME}")
    await desk.answer(world.app, world.admin, entered["request"], f"Dear {NAME}, see the page")
    await review.open_recording(world.app, world.admin, recording, REASON, "quality")
    for scope, target in (("recording", recording), ("party", world.customer.id)):
        placed = await holds.place(
            world.app, world.admin, scope=scope, target=target, category="claim",  # type: ignore[arg-type]
            reason=REASON, asked_by=f"lawyer of {NAME}", review_ms=world.clock.now_ms() + DAY_MS,
        )  # fmt: skip
        await holds.release(world.app, world.admin, placed["hold"], f"{CORRECTED} gave in")
    for scope, target, parts in (
        ("session", world.session, ("records",)),
        ("recording", recording, ("media",)),
        ("party", world.agent.id, ("records", "media")),
    ):
        await disclosures.make(
            world.app, world.admin, scope=scope, target=target, category="authority",  # type: ignore[arg-type]
            given_to="a court", basis="order", basis_text=REASON, reason=REASON,
            parts=parts, recipient=str(RECIPIENT.to_public()),  # type: ignore[arg-type]
        )  # fmt: skip
    for link in (secret, agents):
        await exports.start(world.app, link, "de")
    while await preparing.prepare_next(world.app):
        pass
    given = (await world.find(ConsentEvent, party=world.customer.id, kind="given"))[0]
    receipt = receipt_files.render(
        await receipts.of_event(world.app, world.customer.id, given.id)
    ).encode()
    await sessions.end_session(world.app, world.session, "test")
    search.add(world.customer.id, secret, secret_hash(secret), secret_hash(world.invitation))
    for key in await world.find(PartyKey, party=world.customer.id):
        search.add(key.public_key)  # its digest stays in leaves, as a pseudonym does
    for detail in await world.find(Detail, party=world.customer.id):
        search.add(detail.salt)
    return world.customer, agents, receipt


async def exported(world: World, link: str) -> dict[str, bytes]:
    """What the holder of a link can take out now: what was prepared, or else made anew."""
    files: dict[str, bytes] = {}
    rows = (await exports.listed(world.app, link))["exports"]
    if not rows:
        await exports.start(world.app, link, "en")
        while await preparing.prepare_next(world.app):
            pass
        rows = (await exports.listed(world.app, link))["exports"]
    for row in rows:
        files |= await unpacked(world, row["export"], link)
    return files


async def taken_out(world: World, links: list[str]) -> dict[str, bytes]:
    """Everything that can be had of the deployment, by those who may."""
    found: dict[str, bytes] = {}
    for n, link in enumerate(links):
        found |= {f"{n}/{name}": data for name, data in (await exported(world, link)).items()}
        found[f"{n}/page"] = json.dumps(await mydata.my_data(world.app, link)).encode()
    for row in await world.find(Disclosure):
        try:
            _, sealed = await disclosures.file(world.app, world.admin, row.id)
            data = pyrage.decrypt(await sealed.read(0, sealed.size), [RECIPIENT])
        except AvsessionError:
            continue
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            found |= {f"{row.id}/{name}": package.read(name) for name in package.namelist()}
    for form in logbook.FORMATS:
        lines = await logbook.export(world.app, world.admin, logbook.Filter(), form)
        found[form] = b"".join([line async for line in lines])
    found["details"] = msgspec.json.encode(await world.find(Detail))
    found["sessions"] = json.dumps(
        await review.sessions(world.app, world.admin, 2**53 - 1, 10_000)
    ).encode()
    found["desk"] = json.dumps(await desk.queue(world.app, world.admin)).encode()
    return found


async def erase(world: World, person: Person, way: str) -> None:
    if way == "link":
        assert (await erasing.by_holder(world.app, person.data_secret))["state"] == "erased"
    elif way == "desk":
        row = await desk.enter(world.app, world.admin, person.id, Right.ERASE, f"{NAME} asks")
        await desk.verify(world.app, world.admin, row["request"], f"passport of {NAME}")
        done = await desk.carry_out(world.app, world.admin, row["request"])
        assert done == {"state": "erased"}
    else:
        placed = await holds.place(
            world.app, world.admin, scope="party", target=person.id, category="duty",
            reason=REASON, asked_by=NAME, review_ms=world.clock.now_ms() + DAY_MS,
        )  # fmt: skip
        assert (await erasing.by_holder(world.app, person.data_secret))["state"] == "held"
        await holds.release(world.app, world.admin, placed["hold"], f"{NAME} settled")
        await world.later(1)
    assert not await world.find(Party, id=person.id)


@sqlite_only("it is about files; what rows PostgreSQL keeps, test_forgetting looks through")
async def test_one_person_among_hundreds_leaves_no_trace(world: World, tmp_path: Path) -> None:
    search = Search()
    search.add(*NAME.split(), *CORRECTED.split(), NAME, CORRECTED, CONTACT, COMPLAINT, REASON)
    search.add(canonical(COMPLAINT), canonical(REASON))
    with logged(tmp_path / "service.log"):
        links = await others(world)
        people, agents, kept = zip(
            *[await theirs(world, search) for _ in range(3)], strict=True
        )  # fmt: skip
        found = logbook.Filter(person=CORRECTED)
        assert (await logbook.search(world.app, world.admin, found, logbook.NEWEST))["leaves"]
        assert await together(world, people)
        pages = [await page_of(world, link) for link in links]
        owners = [await mydata.my_data(world.app, link) for link in agents]

        # the search is known to find, in each of the places
        assert "avsession.db-wal" in search.files(world.folder)
        out = await taken_out(world, [*agents])
        told = {name.split("/")[-1] for name, data in out.items() if search.inside(data)}
        assert {"data.json", "index.html", "disclosure.json", "page", "details", "desk"} <= told
        parcels = world.files("exports")
        logging.getLogger("avsession").debug("planted: %s", NAME)
        assert "service.log" in search.files(world.folder)
        await planted(world, search)
        (tmp_path / "service.log").write_bytes(b"")

        for person, way in zip(people, ("link", "desk", "hold"), strict=True):
            await erase(world, person, way)

        assert search.files(world.folder) == {}
        out = await taken_out(world, [*agents, *links[:RECORDED]])
        assert {
            name: search.inside(data) for name, data in out.items() if search.inside(data)
        } == {}
        assert len(set(parcels) - set(world.files("exports"))) >= 3 * 4
        assert [await page_of(world, link) for link in links] == pages
        for agent, before in zip(agents, owners, strict=True):
            after = await mydata.my_data(world.app, agent)
            same = ("name", "role", "session", "events", "notices", "requests")
            assert [after[key] for key in same] == [before[key] for key in same]
        assert not await together(world, people)
        report = await verified(world)
        assert report.ok, report.findings
        for receipt in kept:
            assert receipt_files.verify(receipt, world.app.notary.key).holds
            with pytest.raises(NotFound):
                await receipts.of_event(world.app, people[0].id, "evt_" + "a" * 26)
    await world.close()
    assert search.files(world.folder) == {}, "nor once it was closed"
    await world.start()


async def page_of(world: World, link: str) -> dict[str, object]:
    """What somebody sees of themselves; without the challenge, which is another each time."""
    page = await mydata.my_data(world.app, link)
    del page["signing"]
    return page


async def together(world: World, people: Sequence[Person]) -> list[int]:
    """The leaves beside which it still stands that these pseudonyms are of one name."""
    ours = [person.party.pseudonym.encode() for person in people]
    details = await world.find(Detail)
    return [one.leaf for one in details if sum(name in one.value for name in ours) > 1]


async def planted(world: World, search: Search) -> None:
    """A row that is removed without a scrub: found in the database's files, and gone by one."""
    row = Notice(
        sha256="f" * 64, id="x", version="1", language="en",
        text=gzip.compress(b"") + NAME.encode(), at_ms=0,
    )  # fmt: skip
    before = search.words
    search.words = {row.text}
    async with world.store.write() as tx:
        await tx.add(row)
    async with world.store.write() as tx:
        await tx.remove(Notice, sha256=row.sha256)
    assert "avsession.db-wal" in search.files(world.folder)
    await world.app.leftovers.scrub(world.store)
    assert search.files(world.folder) == {}
    search.words = before


async def test_an_export_of_the_others_is_not_given_out_any_more(world: World) -> None:
    """It was prepared before, with words about the person in it. They can have a new one."""
    await world.sealed(seconds=2)
    agents = await mydata.renew_link(world.app, world.agent.party)
    await exports.start(world.app, agents, "en")
    while await preparing.prepare_next(world.app):
        pass
    await sessions.end_session(world.app, world.session, "test")
    await erasing.by_holder(world.app, world.customer.data_secret)
    assert await world.find(Export) == []
    assert world.files("exports") == []
    assert await exported(world, agents)
