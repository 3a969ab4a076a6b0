"""Receipts in the browser: saved by who has just spoken, and checked there with nothing sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from avsession.__main__ import run
from avsession.audit import checkpoint, merkle, proof, receipt, receipt_page
from avsession.audit.checkpoint import parse_key
from avsession.audit.merkle import leaf_hash
from avsession.audit.proof import Proof
from avsession.canonical import canonical
from avsession.errors import ProofInvalid
from tests.browser.people import PHONE, WIDE, Person, ask, new_call, window
from tests.browser.product import Product
from tests.browser.watch import Watch

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
FILES = {path.name: path.read_bytes() for path in sorted(VECTORS.glob("receipt-*.html"))}
KEY = receipt.read(FILES["receipt-given-en.html"]).log_key


async def judged(page: Page, data: bytes, key: str = KEY) -> dict[str, Any]:
    """What JavaScript makes of a file: step -> whether it holds."""
    found: dict[str, Any] = await page.evaluate(
        """async ([bytes, key, texts]) => {
            const { verify } = await import("/static/verify.js");
            const { steps, holds } = await verify(Uint8Array.from(bytes), key, texts);
            return { holds, steps: Object.fromEntries(steps.map((s) => [s.name, s.holds])) };
        }""",
        [list(data), key, receipt_page.texts()],
    )
    return found


def by_python(data: bytes, key: str = KEY) -> dict[str, Any]:
    verdict = receipt.verify(data, parse_key(key) if key else None)
    return {"holds": verdict.holds, "steps": {step.name: step.holds for step in verdict.steps}}


@pytest.mark.parametrize("name", FILES)
async def test_both_judge_alike(page: Page, name: str) -> None:
    good = by_python(FILES[name])
    assert good["holds"]
    assert await judged(page, FILES[name]) == good
    assert await judged(page, FILES[name], "") == by_python(FILES[name], "")


def forgeries() -> dict[str, bytes]:
    from tests.avsession.audit import test_receipt as forger
    from tests.avsession.audit import test_receipt_certificate as eraser
    from tests.avsession.audit import test_receipt_claims as claims

    given = FILES["receipt-given-en.html"]
    names = (
        "more_purposes", "more_purposes_and_a_fitting_leaf", "and_a_fitting_log",
        "a_log_of_his_own", "another_notice", "another_kind", "another_place",
        "a_second_signature", "no_notice", "another_address", "another_language",
    )  # fmt: skip
    made = {}
    for name in names:
        fields = json.loads(canonical(receipt.read(given)))
        getattr(forger, name)(fields)
        changed = msgspec.convert(fields, receipt.Receipt)
        made[name] = receipt.render(changed).encode()
    for language in ("de", "en"):
        fields = json.loads(canonical(receipt.read(FILES[f"receipt-2-given-{language}.html"])))
        fields["document"]["legal_basis"] = {"en": "<a> contract", "de": "ein Vertrag"}
        changed = msgspec.convert(fields, receipt.Receipt)
        made[f"a basis by language {language}"] = receipt.render(changed).encode()
    for kind in ("withdrawn-en-unsigned", "refused-en"):
        made[f"no_notice {kind}"] = forger.again(forger.no_notice, FILES[f"receipt-{kind}.html"])
    for change in eraser.ERASED_FORGERIES:
        made[change.__name__] = forger.again(change, eraser.ERASED)
        made[f"{change.__name__} and a fitting log"] = eraser.fitting(change)
    made |= claims.FITTING | claims.ODD | {"a line more": claims.LINE_MORE}
    text = given.replace(b"not allowed", b"allowed", 1)
    return made | {"readable part": text, "nothing": b"", "cut": given[:-1], "junk": b"\xff\xfe"}


FORGERIES = forgeries()


@pytest.mark.parametrize("name", FORGERIES)
async def test_both_find_the_same_forgery(page: Page, name: str) -> None:
    data = FORGERIES[name]
    found = await judged(page, data)
    assert not found["holds"]
    assert found == by_python(data)
    if "basis by language" in name:
        assert found["steps"]["page"], "it is told by both alike"


async def test_bytes_of_the_machine_part(page: Page) -> None:
    """A sample of what Python tries on every byte; a decision for one is a decision for both."""
    given = FILES["receipt-given-en.html"]
    begin = given.index(receipt.OPEN.encode())
    places = range(begin, len(given) - 20, 61)
    found = await page.evaluate(
        """async ([bytes, key, texts, places]) => {
            const { verify } = await import("/static/verify.js");
            const missed = [];
            for (const place of places) {
                const edited = Uint8Array.from(bytes);
                edited[place] ^= 1;
                if ((await verify(edited, key, texts)).holds) missed.push(place);
            }
            return missed;
        }""",
        [list(given), KEY, receipt_page.texts(), list(places)],
    )
    assert found == []


SIZES = (*range(1, 20), 2**31, 2**32 + 1, 2**40 + 12_345, 2**53 - 1, 2**53)


def tlog_proof(index: int, size: int, root: bytes, hashes: Sequence[bytes]) -> str:
    """A proof under a checkpoint that nobody signed: that is another step's."""
    note = f"{checkpoint.body('log.test', size, root)}\n— log.test {checkpoint.b64(bytes(68))}\n"
    return Proof(b"", index, tuple(hashes), note).text


def shapes() -> Iterator[tuple[str, str]]:
    """Proof and leaf, in trees of many sizes: as they are, and with one thing wrong."""
    for size in SIZES:
        for index in sorted({*range(min(size, 20)), size // 2, size - 1}):
            leaf, other = (b'{"index":%d}' % n for n in (index, index + 1))
            path = [leaf_hash(b"%d" % n) for n in range(len(merkle.inclusion(index, size)))]
            root = merkle.root_of_inclusion(leaf_hash(leaf), index, size, path)
            for said, at, of, hashes in (
                (leaf, index, size, path),
                (leaf, index, size + 1, path),
                (leaf, index, size - 1, path),
                (other, index + 1, size, path),
                (other, index, size, path),
                (leaf, index, size, path[1:]),
                (leaf, index, size, [*path, root]),
                (leaf, index, size, path[::-1]),
            ):
                yield tlog_proof(at, of, root, hashes), said.decode()


def in_the_tree(text: str, leaf: str) -> bool:
    """As ``receipt.verify`` asks."""
    try:
        parsed = proof.parse(text, leaf.encode())
        proof.included(parsed)
    except ProofInvalid:
        return False
    return bool(json.loads(leaf)["index"] == parsed.index)


async def test_trees_of_every_shape(page: Page) -> None:
    """JavaScript walks up them as Python does, beyond 32 bits too, and finds the same wrong."""
    cases = list(shapes())
    wanted = [in_the_tree(*one) for one in cases]
    assert sum(wanted) > len(cases) / 8
    found = await page.evaluate(
        """async (cases) => {
            const { included } = await import("/static/tlog.js");
            const judge = ([proof, leaf]) => included(proof, leaf).catch(() => false);
            return Promise.all(cases.map(judge));
        }""",
        cases,
    )
    differ = [one for one, ours, theirs in zip(cases, wanted, found, strict=True) if ours != theirs]
    assert differ == []


# --- the product


async def save(person: Person, folder: Path, name: str = "Save receipt") -> Path:
    """Press the button; the file."""
    async with person.page.expect_download() as waiting:
        await person.button(name).first.click()
    download = await waiting.value
    path = folder / download.suggested_filename
    await download.save_as(path)
    return path


async def check(person: Person, product: Product, path: Path) -> None:
    await person.page.goto(f"{product.url}/receipt")
    await person.page.get_by_label("Receipt file").set_input_files(path)
    await person.click("Check receipt")


async def test_from_allowing_to_checking(
    browser: Browser, product: Product, tmp_path: Path
) -> None:
    """Saved the moment it was allowed, again after withdrawing, and by the private link."""
    agent, customer = await new_call(browser, product)
    await ask(agent, 2)
    await customer.allow(1)
    given = await save(customer, tmp_path)
    assert run(["receipt", "verify", str(given)]) == 0
    assert receipt.read(given.read_bytes()).kind == "given"
    await agent.allow(0, 1)
    await customer.until("s.legState === 'connected'")
    await customer.withdraw("Keep recording")
    await customer.recording("Not recording")
    await expect(customer.dialog("Withdraw consent")).to_be_hidden()
    withdrawn = await save(customer, tmp_path)
    assert run(["receipt", "verify", str(withdrawn)]) == 0
    assert receipt.read(withdrawn.read_bytes()).kind == "withdrawn"
    await agent.click("End call")
    agents = await save(agent, tmp_path)
    assert run(["receipt", "verify", str(agents)]) == 0
    await expect(customer.page.get_by_role("textbox", name="Private link")).to_be_visible()
    again = await save(customer, tmp_path)
    assert (
        receipt.read(again.read_bytes()).document["data_subject"]
        == (receipt.read(given.read_bytes()).document["data_subject"])
    )
    # and checked where nothing can be sent
    reader = await window(browser)
    sent: list[str] = []
    await check(reader, product, given)
    await expect(reader.page.get_by_text("The receipt holds.")).to_be_visible()
    reader.page.on("request", lambda request: sent.append(request.url))
    forged = tmp_path / "forged.html"
    forged.write_bytes(given.read_bytes().replace(b"not allowed", b"allowed", 1))
    await reader.page.get_by_label("Receipt file").set_input_files(forged)
    await reader.click("Check receipt")
    await expect(reader.page.get_by_text("The receipt does not hold.")).to_be_visible()
    assert sent == []
    blocked = await reader.page.evaluate("fetch('/healthz').then(() => 'sent', () => 'blocked')")
    assert blocked == "blocked"


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("language", ["en", "de"])
async def test_how_it_looks(
    browser: Browser, product: Product, size: ViewportSize, language: str
) -> None:
    """The page and a receipt itself: axe, widths, no request to anywhere else."""
    person = await window(browser, size)
    watch = Watch(person, product.url)
    await person.page.goto(f"{product.url}/receipt")
    await person.page.locator("#language").select_option(language)
    await watch.check(f"receipt-empty-{language}")
    await person.page.locator("#file").set_input_files(VECTORS / "receipt-2-given-de.html")
    await person.page.locator("#key").fill(KEY)
    await person.page.locator("#form button").click()
    await expect(person.page.locator("#steps li")).to_have_count(11)
    await expect(person.page.locator("#steps li[data-holds=false]")).to_have_count(0)
    await watch.check(f"receipt-holds-{language}")
    alone = await window(browser, size)
    await alone.page.goto((VECTORS / f"receipt-2-given-{language}.html").as_uri())
    await Watch(alone, product.url).check(f"receipt-file-{language}")
