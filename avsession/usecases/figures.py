"""What each recorder worker last said of itself. In memory only: it is about now."""

from __future__ import annotations

from collections.abc import Mapping

from avsession.messages.figures import FIGURES

PREFIX = "avsession_recorder_"


class Figures:
    """The newest figures of every connected worker."""

    def __init__(self) -> None:
        self._of: dict[str, dict[str, float]] = {}

    def take(self, worker: str, figures: Mapping[str, float]) -> None:
        """A heartbeat's; names that nobody knows are left out. None: nothing new."""
        if figures:
            self._of[worker] = {name: figures[name] for name in FIGURES if name in figures}

    def forget(self, worker: str) -> None:
        """The worker is gone."""
        self._of.pop(worker, None)

    def taking(self, worker: str) -> bool:
        """Whether the worker would take a new recording, as far as it has said."""
        return self._of.get(worker, {}).get("taking", 1.0) > 0

    def lines(self) -> list[str]:
        """Prometheus's text format, a label ``worker`` on each value."""
        lines: list[str] = []
        for name, (kind, meaning) in FIGURES.items():
            values = {worker: said[name] for worker, said in self._of.items() if name in said}
            if values:
                lines.append(f"# HELP {PREFIX}{name} {meaning}")
                lines.append(f"# TYPE {PREFIX}{name} {kind}")
                lines.extend(
                    f'{PREFIX}{name}{{worker="{worker}"}} {value:.15g}'
                    for worker, value in values.items()
                )
        return lines
