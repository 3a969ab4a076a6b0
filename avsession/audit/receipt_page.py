"""The readable part of a receipt, made from its machine-readable part and from nothing else.

``web/static/receipt_page.js`` makes the same bytes from the same texts (``receipts/``); shared
vectors hold the two together. So there are no dates in local time here and no sorting by locale:
only joining, and escaping.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

LANGUAGES = ("en", "de")

Fields = dict[str, Any]
Row = tuple[str, str, str]
"""Label, content as HTML, class."""


@functools.cache
def texts() -> dict[str, Any]:
    """``en`` and ``de``: key -> text; ``style``: the style sheet."""
    folder = resources.files("avsession.audit") / "receipts"
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


def page(receipt: Fields, machine: str) -> str:
    """The whole page. ``machine``: the element that holds the machine-readable part."""
    language = receipt["language"]
    words = texts()[language]
    document = receipt["document"]
    parts = [
        _section(words, _heading(receipt), _rows(_said(receipt, words))),
        _notice(receipt, words),
        _section(words, "responsible", _rows(_responsible(document, words, language))),
        _withdrawing(receipt, words),
        _section(words, "signature", _rows(_signature(receipt, words))),
        _section(
            words,
            "proof",
            f"<p>{escape(words['proof.explain'])}</p>" + _rows(_proof(receipt, words)),
        ),
    ]
    title = escape(words[f"title.{receipt['kind']}"])
    lead = escape(words[f"lead.{receipt['kind']}"].replace("{time}", _time(_when(receipt))))
    style = texts()["style"]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{title}</h1>\n<p class="lead">{lead}</p>\n{"".join(parts)}</main>\n{machine}\n'
        "</body>\n</html>\n"
    )


def _when(receipt: Fields) -> str:
    time: str = json.loads(receipt["leaf"])["time"]
    return str(receipt["document"].get("event_time") or time)


def _time(text: str) -> str:
    """``2026-11-22T09:30:00.125Z`` for people of any country."""
    return f"{text[:10]} {text[11:19]} UTC"


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


def _said(receipt: Fields, words: Fields) -> list[Row]:
    document, language = receipt["document"], receipt["language"]
    if receipt["kind"] == "erased":
        return _certificate(document, words, language)
    rows = [
        _plain(words, "when", _time(document["event_time"]), language),
        _plain(words, "as", words.get(f"role.{document['party_role']}") or "", language),
        (words["purposes"], _purposes(document, words, language), ""),
        _plain(words, "basis", document["legal_basis"], language),
        _plain(words, "event", document["event_id"], language, "code"),
        _plain(words, "request", document["request"], language, "code"),
        _plain(words, "session", document["session"], language, "code"),
    ]
    if document["recording"]:
        rows.append(_plain(words, "recording", document["recording"], language, "code"))
    return rows


def _certificate(document: Fields, words: Fields, language: str) -> list[Row]:
    """What a certificate says; only the digests of single segments are left to the machine part."""
    what, when, by, left = (document[name] for name in ("what", "when", "by", "left"))
    until = left["key_backups_until"]
    backups = words["backups.none" if until is None else "backups.until"]
    rows = [
        _plain(words, "what", words["what.whole" if what["whole"] else "what.part"], language),
        _plain(words, "why", _word(words, "why", document["why"]), language),
        _plain(words, "by", _word(words, "by", by["role"]), language),
        _plain(words, "decided", _time(when["decided"]), language),
        _plain(words, "keys", _time(when["keys_destroyed"]), language),
        _plain(words, "done", _time(when["done"]), language),
        _plain(words, "backups", backups.replace("{time}", _time(until or "")), language),
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


def _purposes(document: Fields, words: Fields, language: str) -> str:
    items = []
    for one in document["purposes"]:
        label = _text(one["label"], language) or one["id"]
        answer = words["allowed" if one["answer"] else "not_allowed"]
        days = one["retention_days"]
        kept = "" if days is None else " " + words["kept"].replace("{n}", str(days))
        items.append(f"<li>{escape(f'{label}: {answer}.{kept}')}</li>\n")
    return f"<ul>\n{''.join(items)}</ul>"


def _notice(receipt: Fields, words: Fields) -> str:
    notice = receipt["notice"]
    if notice is None:
        return ""
    return _section(
        words,
        "notice",
        f"<p>{escape(words['notice.explain'])}</p>\n"
        f'<div class="notice" lang="{escape(notice["language"])}">{escape(notice["text"])}</div>\n'
        f'<p class="code">SHA-256 {escape(notice["sha256"])}</p>',
    )


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


def _signature(receipt: Fields, words: Fields) -> list[Row]:
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
        _plain(words, "signature.time", _time(said["time"]), language),
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
