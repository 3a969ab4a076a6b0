"""Consent notices and the privacy policy: text files by document, version and language.

Adding a language is adding a file. A template is UTF-8 text with ``$name`` places. What
:func:`whole` and :func:`render` return is exactly what is hashed, archived and shown: the page
shows these bytes and nothing else. Its first line is the heading; in a notice a line
``[ ] <purpose> <label>`` stands for a checkbox, in the policy ``## `` begins a section and ``- ``
a point of a list.

Lines ``@name phrase`` at the top are the file's head, which is not shown: ``@updated``, the date
of last update; ``@material yes`` or ``no``, whether standing choices are asked for again because of
this version; the others are phrases for rendering. A version that was shown to anybody is never
changed: other words are another version.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable

import msgspec

from avsession.canonical import sha256_hex
from avsession.config import PurposeSetting, Settings, phrase
from avsession.errors import NotFound
from avsession.privacy import quality

RECORDING = "recording"
"""The notice that asks for consent to record."""
PRIVACY = "privacy"
"""The privacy policy."""
DOCUMENTS = (PRIVACY, RECORDING)
"""Every text that there are versions of."""


class Head(msgspec.Struct, frozen=True):
    """What the head of a version's files declares, the same in each language."""

    updated: str
    """The date of last update, such as ``2026-11-22``."""
    material: bool
    """Whether choices that stand must be asked for again because of this version."""


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
    if notice not in DOCUMENTS:
        raise NotFound(f"There is no notice {notice}.")
    return resources.files("avsession.notices") / notice


@functools.cache
def versions(notice: str) -> tuple[str, ...]:
    """Every version, oldest first: whole numbers, as folder names. Raises NotFound."""
    found = [d.name for d in _folder(notice).iterdir() if d.name.isdigit()]
    return tuple(sorted(found, key=int))


def latest(notice: str) -> str:
    """The newest version of a notice. Raises NotFound."""
    return versions(notice)[-1]


@functools.cache
def head(notice: str, version: str) -> Head:
    """What a version declares. Raises NotFound."""
    phrases, _ = _parts(_template(notice, version, "en"))
    return Head(updated=phrases["updated"], material=phrases["material"] == "yes")


def material(notice: str) -> int:
    """The last version that declares a material change."""
    declared = (int(one) for one in versions(notice) if head(notice, one).material)
    return max(declared, default=0)


@functools.cache
def languages(notice: str, version: str) -> tuple[str, ...]:
    """The languages a version is offered in, sorted, English first."""
    if version not in versions(notice):
        raise NotFound("There is no such version of the notice.")
    folder = _folder(notice) / version
    names = [f.name.removesuffix(".txt") for f in folder.iterdir() if f.name.endswith(".txt")]
    return tuple(sorted(names, key=lambda name: (name != "en", name)))


@functools.cache
def _template(notice: str, version: str, language: str) -> str:
    if language not in languages(notice, version):
        raise NotFound(f"The notice is not offered in {language}.")
    return (_folder(notice) / version / f"{language}.txt").read_text("utf-8")


def whole(notice: str, version: str, language: str, settings: Settings) -> Rendered:
    """The text for everything that the settings have; raises NotFound."""
    return render(notice, version, language, settings, settings.consent.purposes)


def render(
    notice: str,
    version: str,
    language: str,
    settings: Settings,
    purposes: Sequence[PurposeSetting],
) -> Rendered:
    """The notice for these purposes; raises NotFound for a language that is not offered."""
    phrases, template = _parts(_template(notice, version, language))
    controller = settings.controller
    text = string.Template(template).substitute(
        controller=controller.name,
        address=controller.address,
        contact=controller.contact,
        dpo=controller.dpo,
        jurisdiction=controller.jurisdiction,
        recipients=phrase(controller.recipients, language),
        storage=phrase(controller.storage_location, language),
        authority=phrase(controller.authority, language),
        keep=_keep(phrases, purposes, language),
        purposes="\n".join(f"[ ] {p.id} {phrase(p.label, language)}" for p in purposes),
        processors=_processors(phrases, settings, language),
        session_days=settings.retention.session_days,
        login_days=settings.retention.login_days,
        quality_days=quality.KEEP_DAYS,
        version=version,
        updated=head(notice, version).updated,
    )
    return Rendered(notice, version, language, text)


def _keep(phrases: Mapping[str, str], purposes: Sequence[PurposeSetting], language: str) -> str:
    """How long recordings are kept, for all purposes alike or for each; "" in a document that has
    no words for it."""
    if "each" not in phrases:
        return ""

    def days(n: int) -> str:
        return phrases["day" if n == 1 else "days"].format(n=n)

    if len({p.keep_days for p in purposes}) == 1:
        return days(purposes[0].keep_days)
    return "; ".join(
        phrases["each"].format(label=phrase(p.label, language), days=days(p.keep_days))
        for p in purposes
    )


def _processors(phrases: Mapping[str, str], settings: Settings, language: str) -> str:
    """The register of processors, a point each."""
    if not settings.processors:
        return phrases.get("no_processors", "")
    return "\n".join(
        f"- {one.name}: {phrase(one.what_for, language)} ({phrase(one.where, language)})"
        for one in settings.processors
    )


def _parts(text: str) -> tuple[dict[str, str], str]:
    """A template file's phrases, and its text without them."""
    lines = text.splitlines(keepends=True)
    phrases = dict(line[1:].strip().split(" ", 1) for line in lines if line.startswith("@"))
    return phrases, "".join(line for line in lines if not line.startswith("@")).lstrip("\n")
