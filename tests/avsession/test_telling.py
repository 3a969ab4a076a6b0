"""``avsession webhooks``, against a receiver."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from msgspec.structs import replace

from avsession import config
from avsession.__main__ import run
from avsession.serve import Files, close_store, open_services
from avsession.usecases import deliveries
from avsession.webhook_records import Delivery
from signaling.hub import Hub
from tests.support.receiver import Receiver, receiving


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings from the developer's environment, and nobody's logging is set up anew."""
    monkeypatch.delenv("AVSESSION_CONFIG", raising=False)
    monkeypatch.setattr("avsession.logs.configure", lambda level, as_json: None)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on a loop of its own: the command runs one itself."""
    ready: Future[Receiver] = Future()

    async def listen() -> None:
        over = asyncio.Event()
        async with receiving() as made:
            loop = asyncio.get_running_loop()
            made.stop = lambda: loop.call_soon_threadsafe(over.set)  # type: ignore[attr-defined]
            ready.set_result(made)
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(listen(),))
    thread.start()
    made = ready.result()
    yield made
    made.stop()  # type: ignore[attr-defined]
    thread.join()


@pytest.fixture
def line(tmp_path: Path, receiver: Receiver) -> list[str]:
    """The end of the command line: a settings file, for a service with one dead delivery."""
    data, file = tmp_path / "data", tmp_path / "avsession.toml"
    made = {**receiver.endpoint(tmp_path), "internal": "true"}
    written = "\n".join(
        f"{key} = {value if key == 'internal' else json.dumps(value)}"
        for key, value in made.items()
    )
    file.write_text(f"data = {json.dumps(str(data))}\n[[webhooks.endpoints]]\n{written}\n")

    async def begin() -> None:
        settings = config.load(file, {})
        app = await open_services(settings, Files.of(settings), Hub())
        await deliveries.test(app, None, "crm")
        async with app.store.write() as tx:
            (row,) = await tx.find(Delivery)
            await tx.put(replace(row, state="dead", outcome="500"))
        app.passwords.close()
        await close_store(app)

    asyncio.run(begin())
    return ["--config", str(file)]


def test_list_replay_and_test(
    line: list[str], receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*command: str, status: int = 0) -> str:
        assert run(["webhooks", *command, *line]) == status
        return capsys.readouterr().out

    listed = json.loads(said("list", "--json"))
    (one,) = listed["deliveries"]
    text = said("list", "--state", "dead")
    assert "0 waiting, 1 dead, 0 sent" in text
    assert f"{one['delivery']} " in text
    assert said("list", "--state", "sent").count("\n") == 1, "the endpoint alone"
    assert json.loads(said("replay", "--dead", "crm", "--json"))["replayed"] == 1
    assert said("replay", one["delivery"], status=1) == "", "it waits: the server sends it"
    assert receiver.got == []
    assert "outcome 204" in said("test", "crm")
    assert receiver.kinds == ["webhook.test"]
    receiver.says(500)
    assert "outcome 500" in said("test", "crm", status=1)
    assert said("test", "erp", status=1) == ""
    assert said("list").count("webhook.test") == 1, "a try of the command is kept nowhere"


def test_used_wrong(line: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run(["webhooks", "replay", *line])
    assert stop.value.code == 2
    assert run(["webhooks", "list", "--data", str(tmp_path / "empty")]) == 2
    assert "There is no log in" in capsys.readouterr().err
