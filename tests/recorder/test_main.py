import subprocess
import sys
from pathlib import Path

import pytest

from recorder.__main__ import parser, run


def test_everything_has_its_help() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "recorder", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for action in parser()._actions:
        assert action.help
        assert action.option_strings[-1] in shown


def test_what_cannot_be_used_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = run([
        "--url", "wss://localhost/recorder", "--worker", "wrk_x", "--grant-key", "A" * 43,
        "--credential", str(tmp_path / "none"), "--spool", str(tmp_path / "spool"),
    ])  # fmt: skip
    assert status == 2
    assert "credential" in capsys.readouterr().err
