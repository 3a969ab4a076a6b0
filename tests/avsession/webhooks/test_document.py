"""EVENTS.md is what the code says."""

from pathlib import Path

from avsession.webhooks import document, events


def test_the_file_is_the_text() -> None:
    written = Path(document.__file__).with_name("EVENTS.md").read_text("utf-8")
    assert written == document.text(), "python -m avsession.webhooks.document > …/EVENTS.md"


def test_every_kind_and_field_is_in_it() -> None:
    text = document.text()
    for kind, (_, fields) in events.EVENTS.items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{kind}` |")]
        assert all(f"`{field}`" in row for field in fields)
