"""docker-compose.yml as a program reads it: variables filled in, services in their order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"

_VARIABLE = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}")
_FOLDER = re.compile(r"^RUN install -d -o (\d+) -g (\d+) -m (\d+) (\S+)$", re.MULTILINE)


def filled(text: str, given: Mapping[str, str]) -> str:
    """The text with its ``${…}`` filled in; raises KeyError for one that must be given."""

    def value(found: re.Match[str]) -> str:
        name, how, other = found.groups()
        if name in given:
            return given[name]
        if how == ":-":
            return str(other)
        raise KeyError(name)

    return _VARIABLE.sub(value, text)


def required() -> set[str]:
    """The variables that have no default."""
    text = FILE.read_text("utf-8")
    optional = {m[1] for m in _VARIABLE.finditer(text) if m[2] == ":-"}
    return {m[1] for m in _VARIABLE.finditer(text)} - optional


def raw() -> dict[str, Any]:
    """The file, its variables as they stand."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    return found


def read(given: Mapping[str, str]) -> dict[str, Any]:
    """The file with these variables."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {walk(key): walk(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner) for inner in value]
        return filled(value, given) if isinstance(value, str) else value

    found: dict[str, Any] = walk(raw())
    return found


@dataclass(frozen=True)
class Folder:
    """A folder that the image makes: its owner, and what a new volume mounted there gets."""

    user: int
    group: int
    mode: int


def folders() -> dict[str, Folder]:
    """The folders of the image, by path."""
    return {
        path: Folder(int(user), int(group), int(mode, 8))
        for user, group, mode, path in _FOLDER.findall(DOCKERFILE.read_text("utf-8"))
    }


def user_of(service: Mapping[str, Any]) -> tuple[int, int]:
    """The user and group that a service runs as."""
    user, group = str(service["user"]).split(":")
    return int(user), int(group)


def mounts(service: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Each volume of a service: its name or file, where it is, and whether to read only."""
    for volume in service.get("volumes", []):
        source, target, *mode = volume.split(":")
        yield source, target, mode == ["ro"]


def in_order(services: Mapping[str, Any]) -> list[str]:
    """The services, each after those that it depends on."""
    done: list[str] = []

    def visit(name: str) -> None:
        for before in services[name].get("depends_on", {}):
            visit(before)
        if name not in done:
            done.append(name)

    for name in services:
        visit(name)
    return done
