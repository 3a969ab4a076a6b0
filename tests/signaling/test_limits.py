"""The table of limits: complete, and true to the code it speaks of."""

from websockets.asyncio import messages

import avsession.messages as wire
from avsession import sdp
from signaling.document import limits
from signaling.limits import FIXED, Limits, Rate


def test_every_limit_says_what_it_is_and_what_happens_beyond() -> None:
    rows = {row.name: row for row in limits()}
    assert set(rows) == {*Limits.__struct_fields__, *(row.name for row in FIXED)}
    for row in rows.values():
        assert row.value
        assert row.what
        assert row.beyond, row.name


def test_the_fixed_ones_are_what_the_code_does() -> None:
    fixed = {row.name: row.value for row in FIXED}
    for name, value in fixed.items():
        if name.startswith("sdp."):
            assert value == str(getattr(sdp, name.removeprefix("sdp.")))
        elif name.startswith("MAX_"):
            assert value == str(getattr(wire, name))
    assert fixed["fragments"] == str(messages.MAX_FRAGMENTS)


def test_what_the_design_promises() -> None:
    limits = Limits()
    assert limits.hello_s == 5
    assert limits.ping_s == limits.pong_s == 5
    assert limits.request_line_bytes == 8192
    assert limits.head_s == 10
    assert limits.violations.burst == 10
    assert wire.MAX_MESSAGE == 65_536
    assert wire.MAX_DEPTH == 8


def test_a_legitimate_page_stays_within_its_rates() -> None:
    """A call's start: forty candidates at once, an offer and an answer, a leg, and its pings."""
    limits = Limits()
    assert limits.candidates.burst >= 2 * 40
    assert limits.descriptions.burst >= 10
    assert limits.others.per_s > 1 / 5
    assert limits.messages.burst >= limits.candidates.burst
    assert limits.message_bytes.burst >= 10 * sdp.MAX_TEXT
    assert str(Rate(2, 3)) == "2/s, 3 at once"
