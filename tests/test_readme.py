"""README.md and the longer documents name what exists: commands, files, tests, settings, places.

To see the settings table as it should be: ``python -m tests.test_readme``.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from avsession.__main__ import parser
from avsession.config import PREFIX, Processor, PurposeSetting, Settings
from avsession.config_outside import Endpoint

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
THREATS = ROOT / "avsession" / "THREATS.md"
GUIDE = ROOT / "avsession" / "GUIDE.md"
REFERENCE = ROOT / "avsession" / "REFERENCE.md"
DOCUMENTS = pytest.mark.parametrize(
    "document", [README, THREATS, GUIDE, REFERENCE], ids=lambda path: path.name
)

MAX_PICTURE = 300_000
"""Bytes of a picture in the README."""
TOP = ("avsession", "signaling", "recorder", "web", "tests")
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
PLACE = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")
ROW = re.compile(r"^\| `([a-z_.\[\]]+)` \| (.*?) \|", re.MULTILINE)


# --- commands


def spoken() -> str:
    return README.read_text("utf-8")


def told() -> str:
    """What a reader is told of commands and settings, here and there."""
    return spoken() + REFERENCE.read_text("utf-8")


def test_every_make_command_is_a_target_that_help_lists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z]+)", spoken()))
    assert named <= targets
    assert {"serve", "test", "check", "bench"} <= named


def commands(made: argparse.ArgumentParser, said: tuple[str, ...] = ()) -> Iterator[str]:
    """Every whole command, such as ``admin create``."""
    groups = [a for a in made._actions if isinstance(a, argparse._SubParsersAction)]
    for group in groups:
        for name, below in group.choices.items():
            yield from commands(below, (*said, name))
    if not groups:
        yield " ".join(said)


def test_every_avsession_command_exists_and_is_told_of() -> None:
    there = set(commands(parser()))
    said = set(
        re.findall(r"avsession ((?:serve|doctor|[a-z]+ [a-z]+)\b)", "\n".join(code_of(told())))
    )
    assert said == there


def code_of(text: str) -> list[str]:
    """What stands in backquotes and in code blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [*CODE.findall(text), *blocks]


# --- files


@DOCUMENTS
def test_files_that_are_named_exist(document: Path) -> None:
    missing = [name for name in paths(document) if not (ROOT / name).exists()]
    assert missing == []


def paths(document: Path) -> Iterator[str]:
    """Files in backquotes, from the root."""
    for code in CODE.findall(document.read_text("utf-8")):
        name = code.partition("::")[0]
        inside = name.startswith(tuple(f"{top}/" for top in TOP))
        at_top = re.fullmatch(r"[A-Za-z-]+\.(md|toml|yml|lock)|Makefile|Dockerfile|LICENSE", name)
        if (inside and re.fullmatch(r"[\w./-]+", name)) or at_top:
            yield name


@DOCUMENTS
def test_links_lead_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text("utf-8"))
    local = [link for link in links if "://" not in link]
    assert local
    assert [link for link in local if not (document.parent / link).exists()] == []


@DOCUMENTS
def test_links_lead_to_headings(document: Path) -> None:
    links = PLACE.findall(document.read_text("utf-8"))
    missing = []
    for name, place in links:
        target = document.parent / name if name else document
        if "://" not in name and target.suffix == ".md" and place not in places(target):
            missing.append(f"{name}#{place}")
    assert missing == []


def places(document: Path) -> set[str]:
    """The anchors of its headings, as they are made of the words where the files are read."""
    plain = re.sub(r"^```.*?^```", "", document.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", plain, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@DOCUMENTS
def test_tests_that_are_named_exist(document: Path) -> None:
    named = [c.split("::") for c in CODE.findall(document.read_text("utf-8")) if ".py::" in c]
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not re.search(rf"\bdef {name}\(", (ROOT / file).read_text("utf-8"))
    ]
    assert missing == []
    assert named or document in (README, REFERENCE)


def test_pictures_are_small_and_described() -> None:
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", spoken())
    assert len(pictures) == 2
    for described, name in pictures:
        assert len(described) > 20
        assert (ROOT / name).stat().st_size < MAX_PICTURE


# --- settings


def settings() -> Iterator[tuple[str, str]]:
    """Each setting's name and its default as the table shows it."""
    told = ("consent", "retention", "export", "signin", "custody", "recorder", "media", "turn")
    for section in ("", "controller", *told, "proxy", "webhooks", "company"):
        kind = type(getattr(Settings(), section)) if section else Settings
        for field in msgspec.structs.fields(kind):
            name = f"{section}.{field.name}" if section else field.name
            value = default(field)
            if not isinstance(value, msgspec.Struct):
                yield name, cell(value)
            if name == "consent.purposes":
                for inner in msgspec.structs.fields(PurposeSetting):
                    yield f"{name}[].{inner.name}", cell(default(inner))
            if name == "webhooks.endpoints":
                for inner in msgspec.structs.fields(Endpoint):
                    yield f"{name}[].{inner.name}", cell(default(inner))
            if name == "processors":
                for inner in msgspec.structs.fields(Processor):
                    yield f"{name}[].{inner.name}", cell(default(inner))


def default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def cell(value: Any) -> str:
    """A default, as it stands in the table."""
    if value is msgspec.NODEFAULT:
        return "*required*"
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{getattr(one, 'id', one)}`" for one in value)
    if isinstance(value, dict):
        if "en" in value:
            return f"“{value['en']}”"
        return "; ".join(f"{key}: “{text}”" for key, text in value.items())
    return f"`{value}`"


def test_the_table_has_every_setting_with_its_default() -> None:
    assert ROW.findall(REFERENCE.read_text("utf-8")) == list(settings())


def test_variables_that_are_named_are_settings() -> None:
    known = {f"{PREFIX}{name.upper().replace('.', '__')}" for name, _ in settings()}
    known |= {f"{PREFIX}CONFIG", f"{PREFIX}PICTURES"}
    assert set(re.findall(rf"{PREFIX}[A-Z][A-Z_]*[A-Z]", told())) <= known


if __name__ == "__main__":
    print("\n".join(f"| `{name}` | {value} | |" for name, value in settings()))  # noqa: T201
