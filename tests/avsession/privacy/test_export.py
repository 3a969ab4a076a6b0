"""The document's schemas, and that what is written about them names every field."""

from pathlib import Path

import msgspec
import pytest

from avsession.privacy import export

WRITTEN = (Path(export.__file__).parent / "EXPORT.md").read_text("utf-8")


@pytest.mark.parametrize("name", export.SCHEMAS)
def test_a_schema_says_what_it_is(name: str) -> None:
    made = export.json_schema(name)
    assert made["title"] == name
    assert made["$schema"].startswith("https://json-schema.org/")
    assert made["$ref"].split("/")[-1] in made["$defs"]


def test_every_field_is_written_about() -> None:
    parts = [
        p for p in vars(export).values() if isinstance(p, type) and p.__module__ == export.__name__
    ]
    names = {
        field.name
        for part in parts
        if issubclass(part, msgspec.Struct)
        for field in msgspec.structs.fields(part)
    }
    assert len(names) > 60
    assert [name for name in sorted(names) if f"`{name}`" not in WRITTEN] == []
    for name in (export.SCHEMA, export.MANIFEST, export.DISCLOSURE):
        assert name in WRITTEN
