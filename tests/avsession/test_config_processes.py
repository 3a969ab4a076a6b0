"""Settings of processes beside the server: what does not fit together is said."""

import pytest

from avsession.config import Settings, check
from avsession.config_processes import Recorder, recorder_problems


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"ports": "40000-40099"}, None),
        ({"ports": "40000-40062"}, "needs 4 ports"),
        ({"ports": "40099-40000"}, "lower one first"),
        ({"ports": "1000-9999"}, "1024"),
        ({"ports": "60000-70000"}, "65535"),
        ({"address": "203.0.113.7"}, None),
        ({"address": "2001:db8::7"}, None),
        ({"address": "calls.example.com"}, "not an IP address"),
        ({"url": "https://calls.example.com"}, "wss://"),
    ],
)
def test_settings_that_cannot_be(given: dict[str, str], says: str | None) -> None:
    found = recorder_problems(Recorder(**given), 16)
    assert found == check(Settings(recorder=Recorder(**given)))
    assert (len(found) == 1 and says in found[0]) if says else found == []
