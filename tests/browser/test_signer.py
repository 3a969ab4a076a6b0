"""What the page signs: JavaScript makes the bytes that Python makes, and the key stays in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from playwright.async_api import Browser, Page

from avsession import signed
from tests.browser.people import ask, new_call
from tests.browser.product import Product, until

ROOT = Path(__file__).parents[2]
VECTORS: dict[str, Any] = json.loads((ROOT / "tests" / "vectors" / "signed.json").read_text())


async def test_canonical_json_is_the_same(page: Page) -> None:
    values = [vector["value"] for vector in VECTORS["canonical"]]
    found = await page.evaluate(
        """async (text) => {
            const { canonical } = await import("/static/canonical.js");
            return JSON.parse(text).map(canonical);
        }""",
        json.dumps(values),
    )
    assert found == [vector["text"] for vector in VECTORS["canonical"]]


async def test_what_canonical_json_has_no_words_for(page: Page) -> None:
    refused = await page.evaluate(
        """async () => {
            const { canonical } = await import("/static/canonical.js");
            const odd = [undefined, NaN, Infinity, "\\ud800", { "\\udc00": 1 }, () => 1, 1n];
            return odd.map((one) => {
                try { return canonical(one); } catch (error) { return error.name; }
            });
        }"""
    )
    assert refused == ["TypeError"] * 7


async def test_the_bytes_that_are_signed_are_the_same(page: Page) -> None:
    found = await page.evaluate(
        """async (vectors) => {
            const { statementBytes, keyId, KEY_CONTEXT } = await import("/static/signer.js");
            const { canonical, unb64 } = await import("/static/canonical.js");
            const { challenge, session, party } = vectors.enrolment;
            const text = (bytes) => new TextDecoder().decode(bytes);
            const point = unb64(vectors.public_key);
            const algorithm = { name: "ECDSA", namedCurve: "P-256" };
            const key = await crypto.subtle.importKey("raw", point, algorithm, false, ["verify"]);
            const holds = [];
            for (const { statement, signature } of vectors.statements) {
                const how = { name: "ECDSA", hash: "SHA-256" };
                const bytes = statementBytes(statement);
                holds.push(await crypto.subtle.verify(how, key, unb64(signature), bytes));
            }
            return {
                key: await keyId(point),
                texts: vectors.statements.map(({ statement }) => text(statementBytes(statement))),
                enrolment: KEY_CONTEXT + canonical({ challenge, session, party, key: vectors.key }),
                holds,
            };
        }""",
        VECTORS,
    )
    assert found == {
        "key": VECTORS["key"],
        "texts": [vector["text"] for vector in VECTORS["statements"]],
        "enrolment": VECTORS["enrolment"]["text"],
        "holds": [True] * len(VECTORS["statements"]),
    }


async def test_what_the_page_signs_python_accepts(page: Page) -> None:
    made = await page.evaluate(
        """async () => {
            const { Signer } = await import("/static/signer.js");
            const signer = new Signer();
            signer.belongs("ses_1", "pty_1");
            const notice = { sha256: "0".repeat(64), language: "de" };
            const { pair } = await signer.key;
            const exporting = crypto.subtle.exportKey("pkcs8", pair.privateKey);
            const taken = await exporting.catch((error) => error.name);
            return {
                enrolment: await signer.enrolment("c"),
                given: await signer.consent("req_1", notice, ["quality"]),
                withdrawn: await signer.signIfPossible({ action: "withdraw", request: "req_1" }),
                extractable: pair.privateKey.extractable,
                taken,
            };
        }"""
    )
    assert (made["extractable"], made["taken"]) == (False, "InvalidAccessError")
    public_key = made["enrolment"]["public_key"]
    key = signed.key_id(public_key)
    data = signed.enrolment_bytes("ses_1", "pty_1", "c", key)
    signed.verify(public_key, made["enrolment"]["proof"], data)
    said = made["given"]["signed"]
    base: dict[str, Any] = {"session": "ses_1", "party": "pty_1", "request": "req_1"}
    given = signed.Statement(
        **base,
        action="give",
        notice="0" * 64,
        language="de",
        purposes=("quality",),
        time=said["time"],
        key=key,
    )
    signed.verify(public_key, said["signature"], signed.statement_bytes(given))
    withdrawn = signed.Statement(**base, action="withdraw", time=made["withdrawn"]["time"], key=key)
    data = signed.statement_bytes(withdrawn)
    signed.verify(public_key, made["withdrawn"]["signature"], data)


async def test_without_a_key_nothing_is_allowed_and_withdrawing_goes_on(page: Page) -> None:
    found = await page.evaluate(
        """async () => {
            crypto.subtle.generateKey = () => Promise.reject(new Error("no keys here"));
            const { Signer } = await import("/static/signer.js");
            const signer = new Signer();
            const notice = { sha256: "0", language: "en" };
            const given = await signer.consent("req_1", notice, []).catch((e) => e.message);
            const said = await signer.signIfPossible({ action: "withdraw", request: "req_1" });
            return [given, said, await signer.withdrawal("c", "req_1")];
        }"""
    )
    assert found == ["no keys here", None, {}]


async def test_a_call_is_signed_from_end_to_end(browser: Browser, product: Product) -> None:
    """Both allow, after a reload of one; the withdrawal is signed; a page without WebCrypto's key
    still withdraws, and the record says that it did not sign."""
    agent, customer = await new_call(browser, product)
    await ask(agent)
    await agent.allow()
    await customer.allow()
    for person in (agent, customer):
        await person.until("s.legState === 'connected'")
    # the click survives a reload, the key does not: the leg comes back under the old signature
    await customer.page.reload()
    await customer.click("Join call")
    await customer.until("s.legState === 'connected'")
    await customer.page.evaluate("void (crypto.subtle.sign = () => new Promise(() => {}))")
    await customer.withdraw("Keep recording")
    await customer.recording("Not recording")
    rows = await until(
        "withdrawn",
        lambda: product.rows("select document from consent_event where kind = 'withdrawn'"),
    )
    assert json.loads(rows[0]["document"])["signature"] == {"status": "missing"}
    given = product.rows("select document from consent_event where kind = 'given'")
    for row in given:
        block = json.loads(row["document"])["signature"]
        assert block["status"] == "valid"
        statement = msgspec.convert(block["statement"], signed.Statement)
        data = signed.statement_bytes(statement)
        signed.verify(block["public_key"], block["signature"], data)
    assert len(given) == 2
    keys = product.rows("select party, count(*) as n from party_key group by party order by n")
    assert [row["n"] for row in keys] == [1, 2]
