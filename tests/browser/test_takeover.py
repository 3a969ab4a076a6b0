"""Two servers behind nginx: the one that serves is killed in a recorded call, and each page comes
back to the other one by itself."""

from __future__ import annotations

import datetime
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from avsession import keys
from avsession.recording import Attach, Gap, decode_line
from tests.browser.conftest import chromium
from tests.browser.people import FLAGS, Person, new_call
from tests.browser.product import until
from tests.browser.story import record
from tests.browser.test_survival import pictures_go_on, recorded_again, says
from tests.faults.test_outage import holds, kinds
from tests.faults.test_standby import PROXIED, at_proxy
from tests.support import postgres, proxied
from tests.support.ports import free_port
from tests.support.served import Served

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx"),
]
LOST = "The connection to the server is lost"


@pytest_asyncio.fixture(loop_scope="module")
async def own(browser: Browser) -> AsyncIterator[Browser]:
    """The customer's browser, a program of its own."""
    made = await browser.browser_type.launch(executable_path=chromium(), args=FLAGS)
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Served, Served, int]]:
    """Two servers that share a database and a data folder, each with a recorder of its own, as
    people reach them: by one public address, whose port is the third. The first serves, the second
    stands by."""
    cluster, database = postgres.cluster(), postgres.databases().take()
    port = free_port()
    settings = PROXIED | {"public_url": f"https://localhost:{port}", "standby": "true"}
    both = [
        Served(tmp_path / name, cluster, database, **(settings | {"recorders": "1"}))
        for name in ("one", "two")
    ]
    for each in both:
        each.data, each.port = tmp_path / "data", free_port()
    folder = keys.private_folder(keys.private_folder(tmp_path / "data") / "keys")
    keys.local_certificate(folder, datetime.datetime.now(datetime.UTC))
    config = proxied.for_two(port, both[0].port, both[1].port, folder)
    try:
        await both[0].start()
        await both[1].launch()
        await both[1].logged("this one stands by")
        async with proxied.proxy(tmp_path / "nginx", port, config):
            yield both[0], both[1], port
    finally:
        for each in both:
            await each.stop(signal.SIGKILL)
        postgres.databases().give(database)


async def lost(*people: Person) -> None:
    """The call goes on, what is not known is said, and nothing is recorded."""
    for person in people:
        await says(person, f"{LOST}; it is being restored. Your call goes on.")
        await person.recording("Not recording")
        reason = person.page.locator(".reason")
        await expect(reason).to_have_text(f"{LOST}, so nothing is recorded now.")
        await pictures_go_on(person)


async def test_a_recorded_call_goes_on_with_the_other_server(
    browser: Browser, own: Browser, pair: tuple[Served, Served, int]
) -> None:
    one, two, port = pair
    here = at_proxy(one, port)
    agent, customer = await new_call(browser, here, own)
    await record(agent, customer, here, 1)

    await one.stop(signal.SIGKILL)
    await two.ready()
    await recorded_again(two, customer, agent)
    for person in (agent, customer):
        await says(person, "")
        await pictures_go_on(person)
    # nobody left, joined twice, or was asked again; one recording, with a gap that says so
    count = "select kind, count(*) as n from leaf group by kind"
    leaves = {row["kind"]: row["n"] for row in two.rows(count)}
    assert (leaves["party.joined"], leaves.get("party.left", 0)) == (2, 0)
    assert kinds(two) == ["requested", "shown", "shown", "given", "given"]
    lines = two.rows("select line from manifest_entry order by n")
    entries = [decode_line(row["line"]).entry for row in lines]
    generations = [e.generation for e in entries if isinstance(e, Attach)]
    assert generations == sorted(set(generations))
    assert len(generations) >= 2
    assert [e for e in entries if isinstance(e, Gap)]

    # consent is taken back while neither serves, and the first is the one that comes
    await two.stop(signal.SIGKILL)
    await lost(agent, customer)
    await customer.withdraw("Keep recording")
    await one.start()
    await until("it is written down", lambda: "withdrawn" in kinds(one))
    for person in (agent, customer):
        await says(person, "")
        await person.recording("Not recording")
        await pictures_go_on(person)
    sealed = "select 1 from recording where state = 'sealed'"
    await until("sealed", lambda: one.rows(sealed), 30)
    assert len(one.rows("select * from recording")) == 1
    assert kinds(one)[-1] == "withdrawn"
    await agent.click("End call")
    await holds(one)
