"""Rights, from both sides: a person on a phone, in German, and the admin's desk, wide, in English.

One walk: what one of them does, the other sees.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, expect

from tests.browser.people import PHONE, Person, new_call, staff
from tests.browser.product import Product, until
from tests.browser.story import record
from tests.browser.watch import Watch

NAME = "Clea Kundin"


async def german(browser: Browser, product: Product) -> tuple[Person, Watch]:
    """A phone whose browser wishes German."""
    context = await browser.new_context(ignore_https_errors=True, viewport=PHONE, locale="de-DE")
    person = Person(await context.new_page(), context)
    return person, Watch(person, product.url)


async def uses(person: Person, right: str, confirm: str, **fields: str) -> None:
    """Two clicks: the right, and the button of its dialog; fields by their labels."""
    await person.click(right)
    dialog = person.dialog(right)
    for label, text in fields.items():
        await dialog.get_by_label(label.replace("_", " ")).fill(text)
    await dialog.get_by_role("button", name=confirm, exact=True).click()
    await expect(dialog).to_have_count(0)


async def decides(admin: Person, act: str, about: str, label: str, text: str) -> None:
    """The admin does something about a request, with words."""
    await admin.page.get_by_role("button", name=re.compile(f"^{act}: {about}, ")).click()
    dialog = admin.dialog(act)
    await dialog.get_by_label(label).fill(text)
    await dialog.get_by_role("button", name=act, exact=True).click()
    await expect(dialog).to_have_count(0)


async def sees(person: Person, text: str) -> None:
    await expect(person.page.get_by_text(text).first).to_be_visible()


async def test_a_person_and_the_desk(browser: Browser, product: Product, tmp_path: Path) -> None:
    agent, customer = await new_call(browser, product)
    await record(agent, customer, product, 1)
    await agent.click("Stop recording")
    await until("sealed", lambda: product.rows("select 1 from recording where state = 'sealed'"))
    await customer.click("End call")
    private = customer.page.get_by_role("textbox", name="Private link")
    await expect(private).to_have_value(re.compile("/privacy#"))
    link = await private.input_value()

    # at once: correct, restrict; to the desk: object, complain
    person, shown = await german(browser, product)
    await person.page.goto(link)
    await sees(person, "Cleo Customer")
    await shown.check("rights-de")
    await uses(
        person, "Name oder Kontakt berichtigen", "Speichern",
        Name=NAME, Wo_wir_Ihnen_Antworten_mitteilen_dürfen="clea@example.org",
    )  # fmt: skip
    await sees(person, "clea@example.org")
    await sees(person, f"{NAME}:")
    await uses(person, "Verwendung einschränken", "Verwendung einschränken")
    await sees(person, "Auf Ihren Wunsch eingeschränkt seit")
    await uses(person, "Widersprechen", "Senden")
    await sees(person, "Eingeschränkt, weil Sie")
    await uses(person, "Beschweren", "Senden", Ihre_Worte="Niemand war freundlich")
    await sees(person, "Niemand war freundlich")
    await sees(person, "Sie erhalten bis")
    await shown.check("rights-used-de")
    saved = await receipt(person, tmp_path / "receipt.html")

    # the desk
    admin = await staff(browser, product, "admin")
    seen = Watch(admin, product.url)
    table = admin.page.get_by_role("table", name="Recordings")
    await expect(table.get_by_role("button", name="Play")).to_be_disabled()
    await expect(table.get_by_text("restricted")).to_be_visible()
    await expect(admin.page.locator("#reminder")).to_have_text(
        "2 waiting, 0 due within a week, 0 late"
    )
    await admin.page.get_by_role("link", name="Privacy requests").click()
    rows = admin.page.get_by_role("table", name="Privacy requests")
    await expect(rows.get_by_text("To be told at: clea@example.org").first).to_be_visible()
    await seen.check("desk")
    words = "Reason that the person reads"
    await decides(admin, "Extend", "Complaint", words, "Wir fragen alle, die dabei waren")
    await expect(rows.get_by_text("waits for an answer, extended")).to_be_visible()
    answer = "Answer that the person reads"
    await decides(admin, "Answer", "Complaint", answer, "Es tut uns leid")
    await decides(admin, "Refuse", "Objection", words, "Wir brauchen sie für Ihren Anspruch")
    await decides(admin, "Lift restriction", "Restriction", words, "Sie baten am Telefon darum")
    await expect(rows.get_by_text("waits for an answer")).to_have_count(0)
    await expect(admin.page.locator("dl.figures")).to_contain_text("Answered in time3")
    await seen.check("desk-done")
    await admin.page.get_by_role("link", name="Review").click()
    await expect(admin.page.locator("#reminder")).to_have_text(
        "0 waiting, 0 due within a week, 0 late"
    )
    await expect(table.get_by_role("button", name="Play")).to_be_enabled()

    # an objection that came by letter names its purposes, and restricts once it is known who asks
    await admin.page.locator("#recordings button.link").first.click()
    await admin.click(f"Enter a privacy request: {NAME}")
    entering = admin.dialog("Enter a privacy request")
    boxes = entering.get_by_role("checkbox")
    await expect(boxes.first).to_be_hidden()
    await entering.get_by_label("Right").select_option("object")
    for n in range(await boxes.count()):
        await boxes.nth(n).set_checked(n == 0)
    await expect(boxes.first).to_be_checked()
    await seen.check("desk-enter-objection")
    await entering.get_by_label("What was asked, and how it came").fill("Brief vom 3. Mai")
    await entering.get_by_role("button", name="Enter a privacy request").click()
    await expect(entering).to_have_count(0)
    await admin.page.get_by_role("link", name="Privacy requests").click()
    await expect(rows.get_by_text("Objects to:").first).to_be_visible()
    await decides(admin, "Verify", "Objection", "How it was established", "Rückruf")
    await expect(rows.get_by_text("recordings restricted")).to_be_visible()
    await decides(admin, "Refuse", "Objection", words, "Ein Irrtum")

    # what the person reads of it
    await person.page.reload()
    await sees(person, "Antwort: Es tut uns leid")
    await sees(person, "Es dauert länger, weil: Wir fragen alle, die dabei waren")
    await sees(person, "Antwort: Wir brauchen sie für Ihren Anspruch")
    await sees(person, "aufgehoben: Sie baten am Telefon darum")

    # a new link by the one before, and no way in by receipts
    await uses(person, "Neuen privaten Link erstellen", "Neuen privaten Link erstellen")
    await sees(person, "Diese Seite hat einen neuen privaten Link")
    assert person.page.url != link
    await uses(person, *["Keinen Beleg diese Seite öffnen lassen"] * 2)
    await sees(person, "Mit einem Beleg geht es nicht.")
    await shown.check("ways-closed-de")

    # without the link: by the receipt; the link before says kindly that it is spent
    again, shown_again = await german(browser, product)
    await again.page.goto(f"{product.url}/privacy")
    await again.page.get_by_label("Datei mit dem Beleg").set_input_files(saved)
    await shown_again.check("privacy-lost-de")
    await again.click("Mit diesem Beleg öffnen")
    await sees(again, "aber sein Inhaber lässt mit keinem Beleg diese Seite öffnen")
    shown_again.wrong.clear()  # the browser says that it was refused
    await uses(person, *["Belege diese Seite öffnen lassen"] * 2)
    await again.click("Mit diesem Beleg öffnen")
    await sees(again, "Diese Seite hat einen neuen privaten Link")
    await sees(again, "Neuer privater Link mit einem Beleg erstellt")
    await person.page.reload()
    await sees(person, "Dieser private Link führt nirgendwohin mehr")
    await person.context.close()

    # nothing is left but to write: found, verified, given a new link
    await again.page.goto(await handed(admin, seen))
    await sees(again, "Neuer privater Link vom Unternehmen erhalten")

    # erased: not in the call, then at once, with the certificate
    await again.click("Meine Daten löschen")
    await again.click("Gespräch beenden")
    await sees(again, "Das lässt sich nicht rückgängig machen")
    await shown_again.check("erase-de")
    await again.click("Alles löschen")
    await expect(again.page.get_by_role("heading", name="Ihre Daten sind gelöscht")).to_be_focused()
    assert again.page.url == f"{product.url}/privacy"
    await shown_again.check("erased-de")
    await again.page.get_by_role("button", name="Löschbescheinigung").click()
    await expect(again.dialog("Löschbescheinigung")).to_be_visible()
    await shown_again.check("erased-certificate-de")
    assert product.segments() == []
    assert not product.rows("select 1 from party where name = ?", NAME)
    assert not product.rows("select 1 from privacy_request where text <> '' or answer <> ''")


async def handed(admin: Person, seen: Watch) -> str:
    """The private link that the desk gives to who wrote to it."""
    await admin.page.get_by_label("Name or contact").fill("clea@EXAMPLE")
    await admin.click("Find")
    people = admin.page.get_by_role("list", name="People found")
    await people.get_by_role("button", name=re.compile(f"^Enter a privacy request: {NAME}")).click()
    entering = admin.dialog("Enter a privacy request")
    await entering.get_by_label("Right").select_option("access")
    await entering.get_by_label("What was asked, and how it came").fill("Brief, Link verloren")
    await entering.get_by_role("button", name="Enter a privacy request").click()
    await expect(entering).to_have_count(0)
    await decides(admin, "Verify", "Access", "How it was established", "Ausweis")
    await admin.page.get_by_role("button", name=re.compile("^New private link: Access, ")).click()
    await admin.dialog("New private link").get_by_role("button", name="New private link").click()
    made = admin.dialog("The new private link")
    await seen.check("desk-link")
    link: str = await made.get_by_role("textbox", name="Private link").input_value()
    await made.get_by_role("button", name="Close").click()
    await expect(made).to_have_count(0)
    return link


async def receipt(person: Person, path: Path) -> Path:
    """The person's receipt of what they allowed, as the page saves it."""
    button: Any = person.page.get_by_role("button", name="Beleg speichern").first
    async with person.page.expect_download() as waiting:
        await button.click()
    await (await waiting.value).save_as(path)
    return path
