"""What an archive is made of, and its manifest."""

import json

import msgspec
import pytest

from avsession.canonical import sha256_hex
from avsession.errors import Invalid
from avsession.privacy.export import MANIFEST, Manifest
from avsession.privacy.recipe import File, as_json, document, pack, recipe, unpack

TRACK = File(
    name="recordings/rec_a/agent.webm", type="video/webm", size=7, crc=1, sha256="a" * 64, track="t"
)


def test_the_manifest_is_first_and_lists_everything_else() -> None:
    page = document("index.html", "ä".encode(), "text/html")
    made = recipe("export", "exp_a", 1_750_000_000_000, [page, TRACK])
    first = made.files[0]
    assert first.data is not None
    said = msgspec.json.decode(first.data, type=Manifest)
    assert (said.schema, said.kind, said.made) == (MANIFEST, "export", "2025-06-15T15:06:40.000Z")
    assert [(f.name, f.size, f.sha256) for f in said.files] == [
        ("index.html", 2, sha256_hex("ä".encode())),
        (TRACK.name, 7, "a" * 64),
    ]
    assert made.digest == sha256_hex(first.data)
    assert unpack(pack(made)) == made
    assert made.archive.size > 9


def test_what_cannot_be_an_archive_is_said_at_once() -> None:
    with pytest.raises(Invalid):
        recipe("export", "exp_a", 0, [document("a", b"", "x"), document("a", b"", "x")])
    with pytest.raises(msgspec.DecodeError):
        unpack(b"junk")


def test_json_is_for_people_too() -> None:
    assert as_json({"b": "ä", "a": 1}) == '{\n "b": "ä",\n "a": 1\n}\n'.encode()
    assert json.loads(as_json(TRACK))["track"] == "t"
