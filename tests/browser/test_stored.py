"""What a browser keeps: every page, before a choice, after each, and after it was taken back."""

from __future__ import annotations

import contextlib
import re
import sqlite3

from playwright.async_api import Browser, Route, expect

from avsession.privacy.stored import CHOICE, DEVICES, LANGUAGE, NAME, SEAT, STAFF
from avsession.usecases.permissions import HOMES
from tests.browser.people import PHONE, Person, staff, window
from tests.browser.product import Product, until
from tests.browser.watch import Watch
from web.pages import INNER, PUBLIC
from web.pages import STAFF as STAFF_PAGES

PREFERENCES = frozenset({"necessary", "preferences"})
NONE = frozenset({"necessary"})
EVERYTHING = PREFERENCES | {"analytics"}
OF_STAFF = {
    role: [HOMES[role], *(path for path, whose, _ in INNER if whose == role)]
    for role in STAFF_PAGES
}
"""Role -> the pages that only it sees."""
SAMPLED = """
const real = RTCPeerConnection.prototype.getStats;
window.sampled = new Promise((done) => {
  RTCPeerConnection.prototype.getStats = async function (...given) {
    const counted = new Error().stack.includes("/quality.js");  // others look, too
    const found = await real.apply(this, given);
    if (counted) setTimeout(done);
    return found;
  };
});
"""


async def kept(person: Person) -> set[str]:
    """Everything that the window's browser keeps, by name."""
    local: list[str] = await person.page.evaluate(
        "[...Object.keys(localStorage), ...Object.keys(sessionStorage)]"
    )
    return {*local, *(str(one.get("name")) for one in await person.context.cookies())}


async def answer(person: Person, button: str) -> None:
    """Answer the question at the page's foot."""
    asking = person.page.get_by_role("region", name="Cookie settings")
    await asking.get_by_role("button", name=button, exact=True).click()
    await expect(asking).to_be_hidden()
    await until_written(person)


async def until_written(person: Person) -> None:
    """The choice that was made last has its cookie."""
    await expect(person.button("Cookies")).to_be_focused()


async def set_up(person: Person, button: str, *ticked: str) -> None:
    """Open the settings, tick these and no others, and press a button."""
    await person.click("Cookies")
    dialog = person.dialog("Cookie settings")
    for name in ("Preferences", "Call quality"):
        await dialog.get_by_role("checkbox", name=name).set_checked(name in ticked)
    async with person.page.expect_response("**/api/preferences"):
        await dialog.get_by_role("button", name=button, exact=True).click()
    await expect(dialog).to_have_count(0)


async def every_page(
    person: Person, watch: Watch, product: Product, *, role: str = "", asked: bool
) -> None:
    """Go to each page: nothing is kept that may not be, and the settings are within reach."""
    for path in [*PUBLIC, *OF_STAFF.get(role, [])]:
        await person.page.goto(f"{product.url}{path}")
        await expect(person.page.get_by_role("heading", level=1).first).to_be_visible()
        # the settings open at once; the cookie page has them, and so the receipt page links there
        alone = path in ("/receipt", "/cookies")
        way = "footer a[href='/cookies']" if alone else "footer button"
        await expect(person.page.locator(way)).to_be_visible()
        if path != "/receipt":  # it may connect to nothing, so it does not know
            await expect(person.page.locator("#asking")).to_be_visible(visible=asked)
        assert await watch.unannounced() == [], path


async def unwritten(route: Route) -> None:
    """No choice gets through. Reading does: the other tab says what this one could not, and then
    this one asks what holds, at a moment that nothing here announces."""
    if route.request.method == "POST":
        await route.abort()
    else:
        await route.continue_()


async def speak(person: Person, language: str) -> None:
    """Choose the page's language."""
    await person.page.locator("header select").select_option(language)
    await expect(person.page.locator("html")).to_have_attribute("lang", language)


async def test_nothing_before_a_choice_and_nothing_after_a_no(
    browser: Browser, product: Product
) -> None:
    person = await window(browser, PHONE)
    watch = Watch(person, product.url)
    await every_page(person, watch, product, asked=True)
    assert await kept(person) == set(), "not even what is necessary, before anything needs it"
    await person.page.goto(f"{product.url}/signin")
    await speak(person, "de")
    assert await kept(person) == set()
    await person.page.reload()
    await expect(person.page.locator("html")).to_have_attribute("lang", "en")
    await watch.check("asking")
    both = person.page.get_by_role("region", name="Cookie settings").get_by_role("button")
    looks = [
        await one.evaluate(
            "b => { const s = getComputedStyle(b), r = b.getBoundingClientRect();"
            " return [r.width, r.height, s.color, s.backgroundColor, s.border, s.font].join() }"
        )
        for one in await both.all()
    ]
    assert len(looks) == 2
    assert looks[0] == looks[1], "refusing looks like allowing"
    await answer(person, "Refuse all")
    assert await kept(person) == {CHOICE}
    await speak(person, "de")
    assert await kept(person) == {CHOICE}
    await every_page(person, watch, product, asked=False)
    (leaf,) = product.rows("select data from leaf where kind = 'preference.set'")
    assert b'"given":[]' in leaf["data"]


async def test_what_is_allowed_is_kept_and_goes_when_it_is_not(
    browser: Browser, product: Product
) -> None:
    person = await window(browser, PHONE)
    watch = Watch(person, product.url)
    await person.page.goto(f"{product.url}/signin")
    await person.click("Cookies")
    await watch.check("settings")
    boxes = person.dialog("Cookie settings").get_by_role("checkbox")
    assert [await box.is_checked() for box in await boxes.all()] == [False, False]
    await person.page.keyboard.press("Escape")
    await set_up(person, "Save choice", "Preferences")
    watch.allowed = PREFERENCES
    assert await kept(person) == {CHOICE}
    await speak(person, "de")
    assert await kept(person) == {CHOICE, LANGUAGE}
    await every_page(person, watch, product, asked=False)
    await expect(person.page.locator("html")).to_have_attribute("lang", "de")  # the receipt page
    await person.page.goto(f"{product.url}/cookies")
    await expect(person.page.locator("html")).to_have_attribute("lang", "de")
    await expect(person.page.get_by_text("Erlaubt: Vorlieben")).to_be_visible()
    await watch.check("cookies-chosen")

    # another tab follows, and writes nothing of its own
    other = Person(await person.context.new_page(), person.context)
    await other.page.goto(f"{product.url}/privacy")
    await expect(other.page.locator("html")).to_have_attribute("lang", "de")
    # and what cannot be written down is a no all the same
    await person.page.route("**/api/preferences", unwritten)
    async with person.page.expect_console_message() as complaint:
        await person.click("Alles ablehnen")
    await expect(person.page.get_by_text("Der Server ist nicht erreichbar")).to_be_visible()
    assert watch.wrong == [f"console: {(await complaint.value).text}"]
    assert watch.wrong.pop().startswith("console: Failed to load resource")
    watch.allowed = NONE
    assert await watch.unannounced() == []
    assert LANGUAGE not in await kept(other)
    await person.page.unroute("**/api/preferences")
    async with person.page.expect_response("**/api/preferences"):
        await person.click("Alles ablehnen")
    await expect(person.page.get_by_text("Erlaubt: nichts")).to_be_visible()
    await expect(person.page.get_by_role("checkbox", checked=True)).to_have_count(0)
    await speak(other, "en")
    assert await kept(other) == {CHOICE}

    # the browser's own no comes later: what was allowed goes with the next page
    await speak(person, "en")
    await person.click("Allow all")
    await expect(person.page.get_by_text("Allowed: Preferences, Call quality")).to_be_visible()
    await speak(person, "de")
    assert await kept(person) == {CHOICE, LANGUAGE}
    await person.context.set_extra_http_headers({"Sec-GPC": "1"})
    await every_page(person, watch, product, asked=False)
    assert await kept(person) == {CHOICE}
    await person.page.goto(f"{product.url}/cookies")
    await expect(person.page.get_by_text("Your browser says no for you").first).to_be_visible()
    await expect(person.page.get_by_role("checkbox")).to_have_count(0)
    await watch.check("cookies-signal")


async def test_a_call_keeps_and_reports_only_what_was_allowed(
    browser: Browser, product: Product
) -> None:
    agent = await staff(browser, product, "agent")
    seen = Watch(agent, product.url)
    await every_page(agent, seen, product, role="agent", asked=True)
    await agent.page.goto(product.url)
    await agent.click("New session")
    link = agent.page.get_by_role("textbox", name="Invitation link")
    await expect(link).to_have_value(re.compile("/join#"))
    customer = await window(browser, PHONE)
    await customer.page.add_init_script(SAMPLED)
    shown = Watch(customer, product.url)
    await customer.page.goto(await link.input_value())
    name = customer.page.get_by_role("textbox", name="Your name")
    await expect(name).to_have_value("")
    assert await kept(customer) == set()
    await answer(customer, "Allow all")
    shown.allowed = EVERYTHING
    await customer.page.get_by_text("Camera and microphone", exact=True).click()
    microphone = customer.page.get_by_role("combobox", name="Microphone")
    chosen = await microphone.locator("option").last.get_attribute("value")
    await microphone.select_option(chosen)
    await shown.check("lobby-devices")
    await name.fill("Cleo Customer")
    await customer.click("Join call")
    await agent.click("Join call")
    for person in (agent, customer):
        await expect(person.button("End call")).to_be_visible()
    assert await kept(customer) == {CHOICE, SEAT, NAME, DEVICES}
    assert await kept(agent) == {STAFF}
    await customer.click("Cookies")
    await expect(customer.dialog("Cookie settings")).to_be_visible()
    await expect(customer.button("End call")).to_be_enabled()
    await shown.check("settings-in-call")
    await customer.click("Close")
    await customer.page.evaluate("window.sampled")
    async with customer.page.expect_request("**/api/seat/quality") as sent:
        await customer.click("End call")
    report: dict[str, int] = (await sent.value).post_data_json or {}
    assert set(report) == {
        "first_frame", "round_trip", "jitter", "loss", "height", "frames", "freezes"
    }  # fmt: skip
    await agent.click("End call")
    rows = await until("counts", lambda: product.rows("select * from quality"))
    calls = [row["calls"] for row in rows if row["figure"] == "calls"]
    assert calls == [1], "the agent was not asked, so the agent's browser said nothing"

    # the next time it is filled in; and gone at once when it is not wanted any more
    await agent.click("Back to your sessions")
    await agent.click("New session")
    await expect(link).to_have_value(re.compile("/join#"))
    await customer.page.goto(await link.input_value())
    await expect(name).to_have_value("Cleo Customer")
    await customer.page.get_by_text("Camera and microphone", exact=True).click()
    await expect(microphone).to_have_value(chosen or "")
    await set_up(customer, "Refuse all")
    assert await kept(customer) == {CHOICE, SEAT}


async def test_an_admin_sees_how_good_calls_were(browser: Browser, product: Product) -> None:
    admin = await staff(browser, product, "admin")
    watch = Watch(admin, product.url)
    await every_page(admin, watch, product, role="admin", asked=True)
    await admin.page.goto(f"{product.url}/admin")
    heading = admin.page.get_by_text("Quality of calls", exact=True)
    await heading.click()
    await expect(admin.page.get_by_text("Reports: 0.")).to_be_visible()
    await expect(admin.page.get_by_text("from 5 reports on")).to_be_visible()
    with contextlib.closing(sqlite3.connect(product.data / "avsession.sqlite3")) as database:
        today = "strftime('%Y-%m-%d', 'now')"
        for figure, number, calls in (("calls", 0, 7), ("loss", 0, 5), ("loss", 2, 2)):
            database.execute(
                f"insert into quality values ({today}, ?, ?, ?)",  # noqa: S608
                (figure, number, calls),
            )
        database.commit()
    await heading.click()
    await heading.click()
    loss = admin.page.get_by_role("table", name="Packets lost")
    await expect(loss.get_by_role("row", name="1 to below 3 % 2")).to_be_visible()
    await watch.check("admin-quality")
    await admin.page.set_viewport_size(PHONE)
    await watch.check("admin-quality")


async def test_the_policy_and_what_changed_in_it(browser: Browser, product: Product) -> None:
    person = await window(browser, PHONE)
    watch = Watch(person, product.url)
    await person.page.goto(f"{product.url}/privacy")
    await expect(person.page.get_by_role("heading", name="Privacy policy")).to_be_visible()
    await expect(
        person.page.get_by_text("Version 3, last updated 22 November 2026. In these very words")
    ).to_be_visible()
    await expect(person.page.get_by_text("Example Support Ltd").first).to_be_visible()
    await person.page.get_by_text("What changed between versions").click()
    await person.click("Show changes")
    await expect(person.page.get_by_text("differ between version 2 and version 3")).to_be_visible()
    added = person.page.get_by_role("insertion").filter(has_text="Whoever works here has")
    await expect(added).to_contain_text("Added: ")
    removed = person.page.get_by_role("deletion").filter(has_text="[− 2 −]")
    await expect(removed).to_contain_text("Removed: ")
    await watch.check("policy-changes")
    await speak(person, "de")
    await expect(person.page.get_by_role("heading", name="Datenschutzerklärung")).to_be_visible()
    await person.click("Änderungen zeigen")
    await expect(
        person.page.get_by_role("insertion").filter(
            has_text="Wer hier arbeitet, hat dieselben Rechte"
        )
    ).to_be_visible()
    await watch.check("policy-changes-de")
    await person.page.get_by_role("combobox", name="Text").select_option("recording")
    await expect(person.page.get_by_text("Dies ist die erste Fassung.")).to_be_visible()
    published = product.rows(
        "select kind, count(*) n from leaf where kind like '%.published' group by kind"
    )
    assert {row["kind"]: row["n"] for row in published} == {
        "policy.published": 6,
        "notice.published": 2,
    }
