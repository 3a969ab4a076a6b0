"""PROTOCOL.md is what the code says."""

from pathlib import Path

from signaling import document
from signaling.connection import End
from signaling.dispatch import PARTY, RECORDER

FILE = Path(document.__file__).parent / "PROTOCOL.md"


def test_the_file_is_what_the_code_prints() -> None:
    assert FILE.read_text("utf-8") == document.text(), (
        "run: python -m signaling.document > signaling/PROTOCOL.md"
    )


def test_every_message_limit_end_and_code_is_in_it() -> None:
    text = document.text()
    for kind in (*PARTY, *RECORDER):
        assert f"### `{kind.__struct_config__.tag}`" in text
    for row in document.limits():
        assert f"| `{row.name}` |" in text
    for end in End:
        assert f"| {end.code} | `{end.reason}` |" in text
    for code in ("origin.refused", "ticket.refused", "too_many", "sdp.refused"):
        assert f"| `{code}` |" in text
