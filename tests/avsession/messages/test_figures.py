"""The names that a heartbeat may tell are Prometheus's, and each fits the message."""

import re

from avsession.messages import FROM_RECORDER, Heartbeat, encode
from avsession.messages.figures import COUNTER, FIGURES, GAUGE


def test_names_and_meanings() -> None:
    for name, (kind, meaning) in FIGURES.items():
        assert re.fullmatch(r"[a-z_]{1,40}", name)
        assert kind == (COUNTER if name.endswith("_total") else GAUGE)
        assert re.fullmatch(r"[A-Z0-9].*[.]", meaning)


def test_all_of_them_fit_a_heartbeat() -> None:
    beat = Heartbeat(sent=1.0, figures=dict.fromkeys(FIGURES, 1e15))
    assert FROM_RECORDER.decode(encode(beat)) == beat
