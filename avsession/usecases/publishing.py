"""Publishing the privacy policy and the notices: archived and logged, once for each exact text.

At each start every version in ``avsession/notices`` is published that has not been: the newest one
again when the settings that it names have changed, since its text is another then. A past consent
names the text that it was given under, which stays in the archive.
"""

from __future__ import annotations

import math
from typing import Any

from avsession import notices
from avsession.errors import Invalid, NotFound
from avsession.notices import Rendered
from avsession.notices.changes import changes
from avsession.ports import Reader, Writer
from avsession.records import Notice
from avsession.usecases.common import leaf
from avsession.usecases.services import Services

DIGEST = 64
"""Characters of a SHA-256 in hex; a version has fewer."""
MOST = 100
"""Texts of one version and language that are told of, the newest."""
LEAVES = {notices.RECORDING: "notice.published", notices.PRIVACY: "policy.published"}


async def publish(app: Services) -> None:
    """Archive and log what has not been published yet. Raises Unavailable."""
    for document in notices.DOCUMENTS:
        newest = notices.latest(document)
        for version in notices.versions(document):
            for language in notices.languages(document, version):
                await _publish(app, document, version, language, again=version == newest)


async def _publish(
    app: Services, document: str, version: str, language: str, *, again: bool
) -> None:
    text = notices.whole(document, version, language, app.settings)
    async with app.store.read() as tx:
        if await tx.get(Notice, text.sha256) is not None:
            return
        key = {"id": document, "version": version, "language": language}
        if not again and await tx.one(Notice, **key) is not None:
            return
    async with app.store.write() as tx:
        await archive(app, tx, text)


async def archive(app: Services, tx: Writer, text: Rendered) -> None:
    """Keep a text's bytes and log their digest, unless that was done before."""
    if await tx.get(Notice, text.sha256) is not None:
        return
    await tx.add(
        Notice(
            sha256=text.sha256,
            id=text.id,
            version=text.version,
            language=text.language,
            text=text.data,
            at_ms=app.clock.now_ms(),
        )
    )
    refs: dict[str, Any] = {
        "sha256": text.sha256,
        "version": text.version,
        "language": text.language,
        "id": text.id,
    }
    if text.id == notices.PRIVACY:
        refs["material"] = notices.head(text.id, text.version).material
    await leaf(app, tx, LEAVES[text.id], actor="server", refs=refs)


async def published(app: Services) -> list[dict[str, Any]]:
    """Every document with its versions, newest first, and the digests of their texts today.

    ``updated`` is the version's date of last update; ``published_ms`` when this very text was
    published here (ms since the Unix epoch), None when it has not been. ``earlier``: by language,
    the texts of the policy that stood here under the same version, before a setting that it names
    was changed; newest first.
    """
    documents = []
    async with app.store.read() as tx:
        for document in notices.DOCUMENTS:
            versions = []
            for version in reversed(notices.versions(document)):
                texts, since = {}, []
                for language in notices.languages(document, version):
                    text = notices.whole(document, version, language, app.settings)
                    texts[language] = text.sha256
                    if (row := await tx.get(Notice, text.sha256)) is not None:
                        since.append(row.at_ms)
                said = notices.head(document, version)
                versions.append(
                    {
                        "version": version,
                        "updated": said.updated,
                        "material": said.material,
                        "texts": texts,
                        "published_ms": max(since, default=None),
                        "earlier": await _earlier(tx, document, version, texts),
                    }
                )
            documents.append({"document": document, "versions": versions})
    return documents


async def _earlier(
    tx: Reader, document: str, version: str, texts: dict[str, str]
) -> dict[str, list[dict[str, Any]]]:
    """The texts of a version that were published and are not today's. A notice has none: it is
    archived for each choice of purposes, whatever the settings."""
    if document != notices.PRIVACY:
        return {language: [] for language in texts}
    return {
        language: [
            {"sha256": row.sha256, "published_ms": row.at_ms}
            for row in await tx.find(
                Notice, id=document, version=version, language=language, order="-at_ms", limit=MOST
            )
            if row.sha256 != today
        ]
        for language, today in texts.items()
    }


def text_of(app: Services, document: str, version: str, language: str) -> Rendered:
    """A version's text, with today's settings; ``version`` "" is the newest. Raises NotFound.

    A language that it is not offered in is English.
    """
    version = version or notices.latest(document)
    offered = notices.languages(document, version)
    return notices.whole(
        document, version, language if language in offered else offered[0], app.settings
    )


async def compared(
    app: Services, document: str, old: str, new: str, language: str
) -> dict[str, Any]:
    """What changed from one text to a later one, word by word. Raises NotFound and Invalid.

    ``old``, ``new``: a version, with today's settings; or the digest of a policy's text that was
    published, in its own language.
    """
    before, since = await _text(app, document, old, language)
    after, until = await _text(app, document, new, before.language)
    if (int(before.version), since) >= (int(after.version), until):
        raise Invalid("Compare a version with a later one.")
    if before.language != after.language:
        raise Invalid("Compare texts in the same language.")
    return {
        "document": document,
        "from": before.version,
        "to": after.version,
        "language": after.language,
        "blocks": [
            [{"kind": part.kind, "text": part.text} for part in block]
            for block in changes(before.text, after.text)
        ],
    }


async def _text(app: Services, document: str, named: str, language: str) -> tuple[Rendered, float]:
    """A version's text, or one that was published; and from when on it stood, today's last."""
    if len(named) != DIGEST:
        return text_of(app, document, named, language), math.inf
    async with app.store.read() as tx:
        row = await tx.get(Notice, named)
    if row is None or row.id != document or document != notices.PRIVACY:
        raise NotFound
    return Rendered(row.id, row.version, row.language, row.text.decode()), row.at_ms
