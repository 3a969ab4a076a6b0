"""People of the house and their own data, on a phone, in German; and the desk on a phone, too."""

from __future__ import annotations

import json
from typing import Any

from playwright.async_api import Browser, expect

from tests.browser.people import PHONE, Person, staff
from tests.browser.product import Product
from tests.browser.test_rights import decides, sees, uses
from tests.browser.watch import Watch


async def asks(person: Person, right: str, text: str, **fields: str) -> None:
    """A right put to the desk, in words."""
    await uses(person, right, "Senden", Ihre_Worte=text, **fields)
    await sees(person, text)


async def test_their_own_rights_and_the_desk_on_a_phone(browser: Browser, product: Product) -> None:
    agent = await staff(browser, product, "agent")
    await agent.page.set_viewport_size(PHONE)
    await agent.page.goto(f"{product.url}/privacy")
    await sees(agent, "Your data as a member of staff")
    await agent.page.get_by_label("Language").select_option("de")
    shown = Watch(agent, product.url)
    await sees(agent, "Einträge des Protokolls, die Ihr Konto nennen (2)")
    await asks(
        agent, "Etwas berichtigen", "Ich habe geheiratet",
        **{"Ihr_Name,_wie_er_lauten_soll": "Ada Ito-Maier"},
    )  # fmt: skip
    await sees(agent, "Der Name, der stehen soll: Ada Ito-Maier")
    await agent.click("Auskunft verlangen")
    dialog = agent.dialog("Auskunft verlangen")
    await shown.check("staff-ask-de")
    await dialog.get_by_role("button", name="Abbrechen").click()
    await asks(agent, "Sich beschweren", "Zu viele Gespräche")
    await asks(agent, "Löschen", "Alles von früher")
    await agent.click("Zurücknehmen: Löschung")
    await sees(agent, "zurückgenommen")
    await shown.check("staff-rights-de")
    async with agent.page.expect_download() as waiting:
        await agent.click("Kopie speichern")
    saved: dict[str, Any] = json.loads((await (await waiting.value).path()).read_text())
    assert [one["right"] for one in saved["requests"]] == ["erase", "complain", "rectify"]

    # the desk, on a phone, where its table is cards
    admin = await staff(browser, product, "admin")
    await admin.page.set_viewport_size(PHONE)
    seen = Watch(admin, product.url)
    await admin.page.goto(f"{product.url}/admin/requests")
    rows = admin.page.get_by_role("table", name="Privacy requests")
    await expect(rows.get_by_text("Agent (member of staff: agent)").first).to_be_visible()
    await seen.check("desk-phone")
    await admin.page.get_by_role("button", name="Carry out: Correction").click()
    carry = admin.dialog("Carry out")
    await expect(carry.get_by_text("every session that it was in")).to_be_visible()
    await seen.check("desk-phone-carry-out")
    await carry.get_by_role("button", name="Carry out").click()
    await expect(rows.get_by_text("Ada Ito-Maier (member of staff: agent)").first).to_be_visible()
    await decides(
        admin, "Extend", "Complaint", "Reason that the person reads", "Wir fragen die anderen"
    )
    await decides(admin, "Answer", "Complaint", "Answer that the person reads", "Es werden weniger")
    await expect(rows.get_by_text("waits for an answer")).to_have_count(0)
    await seen.check("desk-phone-done")
    await admin.page.get_by_label("Language").select_option("de")
    german = admin.page.get_by_role("table", name="Datenschutzanfragen")
    await expect(german.get_by_text("(Mitarbeitende: Berater/-in)").first).to_be_visible()
    await seen.check("desk-phone-de")

    # by letter: entered beside the account, verified first
    await admin.page.goto(f"{product.url}/admin")
    await admin.click("Enter a privacy request: Ada Ito-Maier")
    entering = admin.dialog("Enter a privacy request")
    await entering.get_by_role("textbox").fill("ein Brief")
    await seen.check("desk-phone-enter")
    await entering.get_by_role("button", name="Enter a privacy request").click()
    await expect(entering).to_have_count(0)

    await agent.page.reload()
    await agent.page.get_by_label("Language").select_option("de")
    await sees(agent, "Sie sind als Ada Ito-Maier")
    await sees(agent, "Es dauert länger, weil: Wir fragen die anderen")
    await sees(agent, "Antwort: Es werden weniger")
    await sees(agent, "ein Brief")
    await shown.check("staff-answered-de")
