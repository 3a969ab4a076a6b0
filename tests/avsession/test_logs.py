"""Log lines: readable by people and by machines, one an event."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from avsession import logs


def record(message: str, **extra: str) -> logging.LogRecord:
    made = logging.LogRecord("avsession.x", logging.INFO, __file__, 1, message, (), None)
    for key, value in extra.items():
        setattr(made, key, value)
    return made


def test_json_has_known_fields_only() -> None:
    line = logs.JsonFormatter().format(record("leg up", recording="rec_1", name="Cleo"))
    assert json.loads(line).keys() == {"time", "level", "logger", "message", "recording"}
    assert "\n" not in logs.JsonFormatter().format(record("two\nlines"))


def test_json_tells_of_a_crash() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        made = record("crashed")
        made.exc_info = sys.exc_info()
    assert "ValueError: broken" in json.loads(logs.JsonFormatter().format(made))["exception"]


def test_text_puts_the_fields_at_the_end() -> None:
    line = logs.TextFormatter().format(record("leg up", recording="rec_1"))
    assert line.endswith("avsession.x: leg up recording=rec_1")


def test_what_is_quoted_stays_in_its_line() -> None:
    line = logs.TextFormatter().format(record("said: a\r\nb\x1b[31m\u2028", reason="c\nd"))
    assert line.endswith(r"said: a\r\nb\x1b[31m\u2028 reason=c\nd")


def test_a_traceback_has_lines() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        made = record("crashed")
        made.exc_info = sys.exc_info()
    assert "\nValueError: broken" in logs.TextFormatter().format(made)


class HttpError(Exception):
    """As the library's own: it has headers for an answer."""

    headers = None


@pytest.mark.parametrize("error", [HttpError("secret"), ConnectionResetError("secret"), None])
def test_strangers_are_not_quoted(error: Exception | None) -> None:
    made = record("Error handling request from %s")
    made.args = ("192.0.2.1",)
    made.exc_info = (type(error), error, None) if error is not None else None
    assert logs.Strangers().filter(made)
    line = logs.TextFormatter().format(made)
    assert "192.0.2.1" not in line
    assert "secret" not in line
    assert "\n" not in line


def test_our_own_mistakes_are_told_in_full() -> None:
    made = record("Error handling request from %s")
    made.exc_info = (KeyError, KeyError("ours"), None)
    assert logs.Strangers().filter(made)
    assert "KeyError: 'ours'" in logs.TextFormatter().format(made)


def test_third_parties_are_quiet() -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        logs.configure("DEBUG", as_json=True)
        assert logging.getLogger("aioice").level == logging.WARNING
    finally:
        logging.getLogger().handlers[:], _ = before
        logging.getLogger().setLevel(before[1])


def test_the_session_of_a_task_stands_in_its_lines() -> None:
    def line(**extra: str) -> dict[str, str]:
        record = logging.LogRecord("avsession.x", logging.INFO, "", 0, "said", (), None)
        record.__dict__.update(extra)
        found: dict[str, str] = json.loads(logs.JsonFormatter().format(record))
        assert found.get("session", "none") in logs.TextFormatter().format(record) + "none"
        return found

    assert "session" not in line()
    with logs.about("ses_a"):
        assert line()["session"] == "ses_a"
        assert line(session="ses_b")["session"] == "ses_b", "what a line says itself counts"
        with logs.about("ses_c"):
            assert line()["session"] == "ses_c"
        assert line()["session"] == "ses_a"
    assert "session" not in line()
