"""How a receipt is laid out: older layouts hold for ever, a local time is the same moment."""

from __future__ import annotations

import pytest

from avsession.audit import receipt
from avsession.audit.receipt_page import Look, look_of
from tests.avsession.audit.test_receipt import CASES, GIVEN, KEY, VECTORS, file, wrong

LOCAL = file("given", "de", offset=60)


@pytest.mark.parametrize(
    "change",
    [
        (b'data-offset="60"', b'data-offset="120"'),
        (b' data-offset="60"', b""),
        (b' data-offset="60"', b' data-offset="060"'),
        (b' data-layout="2" data-offset="60"', b""),
        (b"22.11.2025, 10:30:00 Uhr", b"22.11.2025, 11:30:00 Uhr"),
        (b"UTC+01:00", b"UTC+02:00"),
    ],
)
def test_a_local_time_that_is_not_this_moment(change: tuple[bytes, bytes]) -> None:
    """Another offset throughout would tell the same moments: that is the reader's, and true."""
    assert change[0] in LOCAL
    assert wrong(LOCAL) == []
    assert wrong(LOCAL.replace(*change)) == ["page"]


def test_a_layout_that_there_never_was() -> None:
    assert wrong(GIVEN.replace(b'data-layout="2"', b'data-layout="3"')) == ["page"]
    far = receipt.render(receipt.read(GIVEN), Look(offset=841)).encode()
    assert wrong(far) == ["page"], "there is no such place"


def test_what_was_ever_handed_out_still_verifies() -> None:
    layouts = []
    for path in VECTORS.glob("receipt-*.html"):
        data = path.read_bytes()
        assert receipt.verify(data, KEY).holds, path.name
        layouts.append(look_of(data.decode()))
    assert layouts.count(Look(1)) == len(CASES) + 1
    assert len(layouts) == 2 * len(CASES) + 1
