"""Consent notices: text files by id, version and language. Adding a language is adding a file.

A template is UTF-8 text with ``$name`` places. What :func:`render` returns is exactly what is
hashed, archived and shown: the page shows these bytes and nothing else. Its first line is the
heading; a line ``[ ] <purpose> <label>`` stands for a checkbox.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable

import msgspec

from avsession.canonical import sha256_hex
from avsession.config import PurposeSetting, Settings
from avsession.errors import NotFound

RECORDING = "recording"
"""The notice that asks for consent to record."""

_KEEP = {
    "en": ("{n} days", "{label}: {n} days"),
    "de": ("{n} Tage", "{label}: {n} Tage"),
}


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
    versions = [int(d.name) for d in _folder(notice).iterdir() if d.name.isdigit()]
    if not versions:
        raise NotFound(f"There is no notice {notice}.")
    return str(max(versions))


def languages(notice: str, version: str) -> tuple[str, ...]:
    """The languages a version is offered in, sorted, English first."""
    names = [
        f.name.removesuffix(".txt")
        for f in (_folder(notice) / version).iterdir()
        if f.name.endswith(".txt")
    ]
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
    template = (_folder(notice) / version / f"{language}.txt").read_text("utf-8")
    labels = [(p, p.label.get(language, p.label["en"])) for p in purposes]
    alone, listed = _KEEP.get(language, _KEEP["en"])
    if len({p.keep_days for p in purposes}) == 1:
        keep = alone.format(n=purposes[0].keep_days)
    else:
        keep = "; ".join(listed.format(label=label, n=p.keep_days) for p, label in labels)
    controller = settings.controller
    text = string.Template(template).substitute(
        controller=controller.name,
        address=controller.address,
        contact=controller.contact,
        dpo=controller.dpo,
        recipients=", ".join(controller.recipients),
        storage=controller.storage_location,
        authority=controller.authority,
        keep=keep,
        purposes="\n".join(f"[ ] {p.id} {label}" for p, label in labels),
    )
    return Rendered(notice, version, language, text)
