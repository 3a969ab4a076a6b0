"""Consent notices: text files by id, version and language. Adding a language is adding a file.

A template is UTF-8 text with ``$name`` places. What :func:`render` returns is exactly what is
hashed, archived and shown: the page shows these bytes and nothing else. Its first line is the
heading; a line ``[ ] <purpose> <label>`` stands for a checkbox. Lines ``@name phrase`` at the
top of a template are phrases for :func:`render`: ``day``, ``days``, ``each``.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable

import msgspec

from avsession.canonical import sha256_hex
from avsession.config import PurposeSetting, Settings, phrase
from avsession.errors import NotFound

RECORDING = "recording"
"""The notice that asks for consent to record."""


class Rendered(msgspec.Struct, frozen=True):
    """A notice as shown. ``sha256`` is over ``text`` in UTF-8."""

    id: str
    version: str
    language: str
    text: str

    @property
    def data(self) -> bytes:
        """The bytes that are hashed and archived."""
        return self.text.encode()

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes."""
        return sha256_hex(self.data)


def _folder(notice: str) -> Traversable:
    return resources.files("avsession.notices") / notice


def latest(notice: str) -> str:
    """The newest version of a notice: versions are whole numbers, as folder names."""
    folder = _folder(notice)
    if notice != RECORDING or not folder.is_dir():
        raise NotFound(f"There is no notice {notice}.")
    return str(max(int(d.name) for d in folder.iterdir() if d.name.isdigit()))


def languages(notice: str, version: str) -> tuple[str, ...]:
    """The languages a version is offered in, sorted, English first."""
    folder = _folder(notice) / version
    if notice != RECORDING or not version.isdigit() or not folder.is_dir():
        raise NotFound("There is no such version of the notice.")
    names = [f.name.removesuffix(".txt") for f in folder.iterdir() if f.name.endswith(".txt")]
    return tuple(sorted(names, key=lambda name: (name != "en", name)))


def render(
    notice: str,
    version: str,
    language: str,
    settings: Settings,
    purposes: Sequence[PurposeSetting],
) -> Rendered:
    """The notice for these purposes; raises NotFound for a language that is not offered."""
    if language not in languages(notice, version):
        raise NotFound(f"The notice is not offered in {language}.")
    phrases, template = _parts((_folder(notice) / version / f"{language}.txt").read_text("utf-8"))
    labels = [(p, phrase(p.label, language)) for p in purposes]

    def days(n: int) -> str:
        return phrases["day" if n == 1 else "days"].format(n=n)

    if len({p.keep_days for p in purposes}) == 1:
        keep = days(purposes[0].keep_days)
    else:
        keep = "; ".join(
            phrases["each"].format(label=label, days=days(p.keep_days)) for p, label in labels
        )
    controller = settings.controller
    text = string.Template(template).substitute(
        controller=controller.name,
        address=controller.address,
        contact=controller.contact,
        dpo=controller.dpo,
        recipients=phrase(controller.recipients, language),
        storage=phrase(controller.storage_location, language),
        authority=phrase(controller.authority, language),
        keep=keep,
        purposes="\n".join(f"[ ] {p.id} {label}" for p, label in labels),
    )
    return Rendered(notice, version, language, text)


def _parts(text: str) -> tuple[dict[str, str], str]:
    """A template file's phrases, and its text without them."""
    lines = text.splitlines(keepends=True)
    phrases = dict(line[1:].strip().split(" ", 1) for line in lines if line.startswith("@"))
    return phrases, "".join(line for line in lines if not line.startswith("@")).lstrip("\n")
