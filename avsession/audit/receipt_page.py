"""The readable part of a receipt, made from its machine-readable part and from how it is laid out.

``web/static/receipt_page.js`` makes the same bytes from the same texts (``receipts/``); shared
vectors hold the two together. So nothing here asks a clock, a time zone or a locale: only joining,
escaping, and adding minutes.

A receipt that was handed out is somebody's for ever, and every byte of it is compared. So a layout
is never changed, its texts in ``receipts/<layout>/`` included: there is another one beside it.
Layout 1 told times in UTC only, the notice as its bytes are, and the legal basis as it was set.
"""

from __future__ import annotations

import datetime
import functools
import json
import re
from importlib import resources
from typing import Any, NamedTuple

LANGUAGES = ("en", "de")
FIRST, LAYOUT = 1, 2
"""The layouts there are; new receipts have the last one."""
MAX_OFFSET = 14 * 60
"""Minutes between a local time and UTC; there is no place with more."""

Fields = dict[str, Any]
Row = tuple[str, str, str]
"""Label, content as HTML, class."""

BODY = re.compile(
    r'</head>\n<body(?: data-layout="2"(?: data-offset="(?P<offset>-?[1-9][0-9]{0,2})")?)?>\n'
)


class Look(NamedTuple):
    """What a page shows beyond its machine-readable part. Nobody signs it: it changes no fact."""

    layout: int = LAYOUT
    offset: int = 0
    """Minutes that the local time beside each UTC time is ahead of it; 0: UTC alone."""


PLAIN = Look()
"""The newest layout, with UTC alone."""


def look_of(text: str) -> Look | None:
    """How a page says that it is laid out; None when it says nothing that was ever made."""
    if (found := BODY.search(text)) is None:
        return None
    if "data-layout" not in found[0]:
        return Look(FIRST)
    offset = int(found["offset"] or 0)
    return Look(LAYOUT, offset) if abs(offset) <= MAX_OFFSET else None


@functools.cache
def texts() -> dict[str, Any]:
    """Layout -> ``en`` and ``de``: key -> text; ``style``: the style sheet."""
    return {str(layout): _texts(layout) for layout in (FIRST, LAYOUT)}


def _texts(layout: int) -> dict[str, Any]:
    folder = resources.files("avsession.audit") / "receipts" / str(layout)
    found: dict[str, Any] = {
        language: json.loads((folder / f"{language}.json").read_text("utf-8"))
        for language in LANGUAGES
    }
    return found | {"style": (folder / "style.css").read_text("utf-8")}


def escape(text: str) -> str:
    """``text`` for HTML, in content and in double quotes."""
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(char, entity)
    return text


def page(receipt: Fields, machine: str, look: Look = PLAIN) -> str:
    """The whole page. ``machine``: the element that holds the machine-readable part."""
    language = receipt["language"]
    told = texts()[str(look.layout)]
    words = told[language]
    document = receipt["document"]
    parts = [
        _section(words, _heading(receipt), _rows(_said(receipt, words, look))),
        _notice(receipt, words, look),
        _section(words, "responsible", _rows(_responsible(document, words, language))),
        _withdrawing(receipt, words),
        _section(words, "signature", _rows(_signature(receipt, words, look))),
        _section(
            words,
            "proof",
            f"<p>{escape(words['proof.explain'])}</p>" + _rows(_proof(receipt, words)),
        ),
    ]
    title = escape(words[f"title.{receipt['kind']}"])
    lead = escape(
        words[f"lead.{receipt['kind']}"].replace("{time}", _time(_when(receipt), words, look))
    )
    style = told["style"]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n{_body(look)}\n<main>\n"
        f'<h1>{title}</h1>\n<p class="lead">{lead}</p>\n{"".join(parts)}</main>\n{machine}\n'
        "</body>\n</html>\n"
    )


def _when(receipt: Fields) -> str:
    time: str = json.loads(receipt["leaf"])["time"]
    return str(receipt["document"].get("event_time") or time)


def _body(look: Look) -> str:
    if look.layout == FIRST:
        return "<body>"
    offset = f' data-offset="{look.offset}"' if look.offset else ""
    return f'<body data-layout="{look.layout}"{offset}>'


def _time(text: str, words: Fields, look: Look) -> str:
    """``2026-11-22T09:30:00.125Z`` for people: where they are, and in UTC."""
    if look.layout == FIRST:
        return f"{text[:10]} {text[11:19]} UTC"
    if not text or not look.offset:
        return _put(words["time"], text, "")
    told = _put(words["time.local"], _moved(text, look.offset), "local_")
    sign, minutes = "-" if look.offset < 0 else "+", abs(look.offset)
    told = told.replace("{offset}", f"{sign}{minutes // 60:02}:{minutes % 60:02}")
    return _put(told, text, "")


def _put(template: str, text: str, prefix: str) -> str:
    parts = {"y": text[:4], "m": text[5:7], "d": text[8:10], "time": text[11:19]}
    for name, part in parts.items():
        template = template.replace(f"{{{prefix}{name}}}", part)
    return template


def _moved(text: str, minutes: int) -> str:
    """The time so many minutes later. Raises ValueError for what is no time."""
    try:
        moment = datetime.datetime.fromisoformat(f"{text[:19]}+00:00")
        return (moment + datetime.timedelta(minutes=minutes)).isoformat()
    except OverflowError as error:  # the last day of the year 9999
        raise ValueError(str(error)) from error


def _text(value: Any, language: str) -> str:
    """Any value of a document in words."""
    if isinstance(value, dict):
        return _text(value.get(language) or value.get("en") or "", language)
    if isinstance(value, list):
        return ", ".join(_text(one, language) for one in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "–" if value is None else str(value)


def _section(words: Fields, key: str, content: str) -> str:
    return f"<section>\n<h2>{escape(words[key])}</h2>\n{content}\n</section>\n" if content else ""


def _rows(rows: list[Row]) -> str:
    """Label, content as HTML, class."""
    if not rows:
        return ""
    made = [
        f"<dt>{escape(label)}</dt>\n<dd{' class=' + chr(34) + kind + chr(34) if kind else ''}>"
        f"{html}</dd>\n"
        for label, html, kind in rows
    ]
    return f"<dl>\n{''.join(made)}</dl>"


def _plain(words: Fields, key: str, value: Any, language: str, kind: str = "") -> Row:
    return words[key], escape(_text(value, language)), kind


def _heading(receipt: Fields) -> str:
    return "destroyed" if receipt["kind"] == "erased" else "said"


def _said(receipt: Fields, words: Fields, look: Look) -> list[Row]:
    document, language = receipt["document"], receipt["language"]
    if receipt["kind"] == "erased":
        return _certificate(document, words, language, look)
    basis = document["legal_basis"]
    if isinstance(basis, str):  # a phrase by language brings its own words
        basis = words.get(f"basis.{basis}") or basis
    rows = [
        _plain(words, "when", _time(document["event_time"], words, look), language),
        _plain(words, "as", words.get(f"role.{document['party_role']}") or "", language),
        (words["purposes"], _purposes(document, words, language, look), ""),
        _plain(words, "basis", basis, language),
        _plain(words, "event", document["event_id"], language, "code"),
        _plain(words, "request", document["request"], language, "code"),
        _plain(words, "session", document["session"], language, "code"),
    ]
    if document["recording"]:
        rows.append(_plain(words, "recording", document["recording"], language, "code"))
    return rows


def _certificate(document: Fields, words: Fields, language: str, look: Look) -> list[Row]:
    """What a certificate says; only the digests of single segments are left to the machine part."""
    what, when, by, left = (document[name] for name in ("what", "when", "by", "left"))
    until = left["key_backups_until"]
    backups = words["backups.none" if until is None else "backups.until"]
    told_until = _time(until or "", words, look)
    rows = [
        _plain(words, "what", words["what.whole" if what["whole"] else "what.part"], language),
        _plain(words, "why", _word(words, "why", document["why"]), language),
        _plain(words, "by", _word(words, "by", by["role"]), language),
        _plain(words, "decided", _time(when["decided"], words, look), language),
        _plain(words, "keys", _time(when["keys_destroyed"], words, look), language),
        _plain(words, "done", _time(when["done"], words, look), language),
        _plain(words, "backups", backups.replace("{time}", told_until), language),
        _plain(words, "database", _word(words, "database", left["database"]), language),
    ]
    for track in what["tracks"]:
        told = words["track.told"].replace("{n}", str(track["segments"]))
        told = told.replace("{role}", _word(words, "role", track["role"]))
        rows += [
            _plain(words, "track", told, language),
            _plain(words, "track.id", track["track"], language, "code"),
            _plain(words, "track.key", track["recipient"], language, "code"),
            _plain(words, "track.digest", track["digest"], language, "code"),
        ]
    manifest = what["manifest"]
    return [
        *rows,
        _plain(words, "manifest", manifest["head"], language, "code"),
        _plain(words, "manifest.entries", manifest["entries"], language),
        _plain(words, "certificate", document["certificate"], language, "code"),
        _plain(words, "recording", what["recording"], language, "code"),
        _plain(words, "session", what["session"], language, "code"),
        _plain(words, "by.pseudonym", by.get("pseudonym"), language, "code"),
    ]


def _word(words: Fields, of: str, code: str) -> str:
    """A code in words; itself, when a later version of us has made it up."""
    return str(words.get(f"{of}.{code}") or code)


def _purposes(document: Fields, words: Fields, language: str, look: Look) -> str:
    items = []
    for one in document["purposes"]:
        label = _text(one["label"], language) or one["id"]
        answer = words["allowed" if one["answer"] else "not_allowed"]
        days = one["retention_days"]
        kept = "" if days is None else " " + words["kept"].replace("{n}", str(days))
        box = "" if look.layout == FIRST else _box("☑" if one["answer"] else "☐")
        items.append(f"<li>{box}{escape(f'{label}: {answer}.{kept}')}</li>\n")
    return f"<ul>\n{''.join(items)}</ul>"


def _box(sign: str) -> str:
    """A box for the eye; the words beside it say the same."""
    return f'<span class="box" aria-hidden="true">{sign}</span> '


def _notice(receipt: Fields, words: Fields, look: Look) -> str:
    notice = receipt["notice"]
    if notice is None:
        return ""
    text = escape(notice["text"]) if look.layout == FIRST else _lines(receipt, words)
    return _section(
        words,
        "notice",
        f"<p>{escape(words['notice.explain'])}</p>\n"
        f'<div class="notice" lang="{escape(notice["language"])}">{text}</div>\n'
        f'<p class="code">SHA-256 {escape(notice["sha256"])}</p>',
    )


def _lines(receipt: Fields, words: Fields) -> str:
    """The notice as it was on the screen: a paragraph a line, and the boxes as they were ticked.

    Only a consent says what was ticked; elsewhere the purposes are a list.
    """
    answers = {one["id"]: one["answer"] for one in receipt["document"]["purposes"]}
    made = []
    for line in receipt["notice"]["text"].split("\n"):
        purpose, space, label = line.removeprefix("[ ] ").partition(" ")
        if not line.startswith("[ ] ") or not space:
            made += [f"<p>{escape(line)}</p>\n"] if line else []
        elif receipt["kind"] == "given":
            ticked = answers.get(purpose) is True
            said = escape(f"{label} ({words['ticked' if ticked else 'not_ticked']})")
            made.append(f"<p>{_box('☑' if ticked else '☐')}{said}</p>\n")
        else:
            made.append(f"<p>{_box('•')}{escape(label)}</p>\n")
    return f"\n{''.join(made)}"


def _responsible(document: Fields, words: Fields, language: str) -> list[Row]:
    controller = document.get("controller")
    if controller is None:
        return []
    rows = [
        _plain(words, f"controller.{name}", controller.get(name), language)
        for name in ("name", "address", "contact", "dpo")
    ]
    more = ("supervisory_authority", "recipients", "storage_location", "jurisdiction")
    there = [name for name in more if document.get(name)]
    return rows + [_plain(words, name, document[name], language) for name in there]


def _withdrawing(receipt: Fields, words: Fields) -> str:
    if receipt["kind"] != "given":
        return ""
    where = escape(receipt["privacy"])
    html = f'<p>{escape(words["withdraw.how"])}</p>\n<p class="code">{where}</p>'
    return _section(words, "withdraw", html)


def _signature(receipt: Fields, words: Fields, look: Look) -> list[Row]:
    language = receipt["language"]
    block = receipt["document"].get("signature")
    if block is None:
        return []
    status = _plain(words, "signature.status", words[f"signature.{block['status']}"], language)
    if block["status"] != "valid":
        return [status]
    said = block["statement"]
    return [
        status,
        _plain(words, "signature.time", _time(said["time"], words, look), language),
        _plain(
            words, "signature.key", f"{block['algorithm']} {block['public_key']}", language, "code"
        ),
        _plain(words, "signature.value", block["signature"], language, "code"),
    ]


def _proof(receipt: Fields, words: Fields) -> list[Row]:
    language = receipt["language"]
    return [
        _plain(words, "proof.log", receipt["origin"], language, "code"),
        _plain(words, "proof.key", receipt["log_key"], language, "code"),
        _plain(words, "proof.leaf", receipt["leaf"], language, "code"),
        _plain(words, "proof.text", receipt["proof"], language, "code"),
    ]
