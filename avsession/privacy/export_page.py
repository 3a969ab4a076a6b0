"""The readable part of an export: one page, in the person's language, made of its document alone.

No script, no network, nothing from anywhere; every text of somebody's is escaped. The words are in
``exports/<language>.json``.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any

from avsession.audit.receipt_page import escape
from avsession.config import phrase
from avsession.privacy.export import Document, Track
from avsession.privacy.recipe import File

LANGUAGES = ("en", "de")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"

Row = tuple[str, str]
"""Label, content as HTML."""


@functools.cache
def words(language: str) -> dict[str, str]:
    """Key -> text; English for a language that is not there."""
    folder = resources.files("avsession.privacy") / "exports"
    name = language if language in LANGUAGES else "en"
    found: dict[str, str] = json.loads((folder / f"{name}.json").read_text("utf-8"))
    return found


class _Words:
    """The texts of one language."""

    def __init__(self, language: str) -> None:
        self._texts = words(language)

    def __call__(self, key: str, **filled: object) -> str:
        """The text, escaped, with its places filled."""
        text = self._texts[key]
        for name, value in filled.items():
            text = text.replace(f"{{{name}}}", str(value))
        return escape(text)

    def code(self, of: str, code: str | None) -> str:
        """A code in words; itself, when there is no word for it."""
        return escape(self._texts.get(f"{of}.{code}", code or "–"))


def page(document: Document, files: Sequence[File]) -> str:
    """The whole page. ``files``: those of the archive beside it, in their order."""
    language = document.language if document.language in LANGUAGES else "en"
    say = _Words(language)
    parts = [
        _section(say("person"), _rows(_person(document, say))),
        _section(say("responsible"), _rows(_controller(document, say, language))),
        _section(say("recordings"), _recordings(document, say) or _none(say)),
        _section(say("consents"), _consents(document, say, language) or _none(say)),
        _section(say("accesses"), _accesses(document, say) or _none(say)),
        _section(say("disclosures"), _disclosures(document, say) or _none(say)),
        _section(say("holds"), _holds(document, say)) if document.holds else "",
        _section(say("notices"), _notices(document)) if document.notices else "",
        _section(say("files"), f"<p>{say('files.explain')}</p>\n{_files(files, say)}"),
    ]
    title = say("title")
    style = (resources.files("avsession.privacy") / "exports" / "style.css").read_text("utf-8")
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{title}</h1>\n<p class="lead">{say("lead", time=_time(document.made))}</p>\n'
        f"<p><strong>{say('safe')}</strong></p>\n"
        f"{''.join(parts)}</main>\n</body>\n</html>\n"
    )


def _time(text: str | None) -> str:
    """``2026-11-22T09:30:00.125Z`` for people of any country."""
    return "–" if text is None else f"{text[:10]} {text[11:19]} UTC"


def _section(heading: str, content: str) -> str:
    return f"<section>\n<h2>{heading}</h2>\n{content}\n</section>\n"


def _rows(rows: Iterable[Row]) -> str:
    made = "".join(f"<dt>{label}</dt>\n<dd>{html}</dd>\n" for label, html in rows)
    return f"<dl>\n{made}</dl>"


def _list(items: Iterable[str]) -> str:
    found = "".join(f"<li>{item}</li>\n" for item in items)
    return f"<ul>\n{found}</ul>" if found else ""


def _none(say: _Words) -> str:
    return f"<p>{say('none')}</p>"


def _code(text: str) -> str:
    return f'<span class="code">{escape(text)}</span>'


def _person(document: Document, say: _Words) -> list[Row]:
    person, call = document.person, document.call
    return [
        (say("name"), escape(person.name)),
        (say("role"), say.code("role", person.role)),
        (say("language"), escape(person.language)),
        (say("contact"), escape(person.contact or "–")),
        (say("started"), _time(call.created)),
        (say("joined"), _time(person.joined)),
        (say("left"), _time(person.left)),
        (say("ended"), _time(call.ended)),
        (say("session"), _code(call.session)),
        (say("party"), _code(person.party)),
        (say("pseudonym"), _code(person.pseudonym)),
    ]


def _controller(document: Document, say: _Words, language: str) -> list[Row]:
    controller = document.controller
    plain = ("name", "address", "contact", "dpo")
    rows = [(say(f"controller.{key}"), escape(str(controller[key]))) for key in plain]
    return rows + [
        (say(f"controller.{key}"), escape(phrase(controller[key], language)))
        for key in ("recipients", "storage_location", "authority")
    ]


def _recordings(document: Document, say: _Words) -> str:
    items = []
    for one in document.recordings:
        lines = [
            say("recording", time=_time(one.created), seconds=round(one.duration_ms / 1000)),
            say.code("state", one.state),
            say("purposes", list=", ".join(one.purposes) or "–"),
        ]
        if one.keep_until:
            lines.append(say("keep_until", time=_time(one.keep_until)))
        if one.withdrawn:
            fate = say.code("fate", one.withdrawn.fate or "open")
            lines.append(say("withdrawn", time=_time(one.withdrawn.at)) + f" {fate}")
        items.append("<br>\n".join(lines) + _list(_track(track, say) for track in one.tracks))
    return _list(items)


def _track(track: Track, say: _Words) -> str:
    whose = say("track", role=say.code("role", track.role))
    if track.file:
        # a relative link: it works once the archive is unpacked, and asks nobody for anything
        name = escape(track.file)
        return f'{whose} <a href="{name}">{name}</a>'
    return f"{whose} {say.code('why_not', track.why_not)}"


def _consents(document: Document, say: _Words, language: str) -> str:
    items = []
    for one in document.consents:
        purposes = one.document.get("purposes") or []
        ticked = [_label(p, language) for p in purposes if p.get("answer")]
        said = f": {escape(', '.join(ticked))}" if ticked else ""
        items.append(f"{_time(one.at)} – {say.code('event', one.kind)}{said}")
    return _list(items)


def _label(purpose: dict[str, Any], language: str) -> str:
    label = purpose.get("label") or {}
    return str(label.get(language) or label.get("en") or purpose.get("id", ""))


def _accesses(document: Document, say: _Words) -> str:
    return _list(
        f"{_time(one.at)} – {say.code('how', one.how)}: {escape(one.reason or '–')} "
        f"({escape(one.purpose or '–')})"
        for one in document.accesses
    )


def _disclosures(document: Document, say: _Words) -> str:
    return _list(
        f"{_time(one.at)} – {escape(one.given_to)}: {say.code('basis', one.basis)} "
        f"({escape(one.basis_text or '–')}). {escape(one.reason)}"
        for one in document.disclosures
    )


def _holds(document: Document, say: _Words) -> str:
    return _list(
        f"{say.code('hold', one.category)} {say('hold.review', time=_time(one.review))}"
        for one in document.holds
    )


def _notices(document: Document) -> str:
    return "\n".join(
        f'<div class="notice" lang="{escape(one.language)}">{escape(one.text)}</div>\n'
        f'<p class="code">SHA-256 {one.sha256}</p>'
        for one in document.notices
    )


def _files(files: Sequence[File], say: _Words) -> str:
    return _list(
        f'<a href="{escape(file.name)}">{escape(file.name)}</a> – '
        f"{say('bytes', n=file.size)}<br>\n{_code('SHA-256 ' + file.sha256)}"
        for file in files
    )
