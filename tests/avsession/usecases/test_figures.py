"""What recorders say of themselves, as Prometheus reads it."""

import secrets

from avsession.messages import Heartbeat
from avsession.ports import WorkerInfo
from avsession.session import new_id
from avsession.usecases import workers
from avsession.usecases.capture import choose_worker
from avsession.usecases.figures import Figures
from tests.avsession.usecases.recorder import Recorder
from tests.avsession.usecases.world import World


def test_the_newest_of_each_worker_by_name() -> None:
    figures = Figures()
    figures.take("wrk_a", {"frames_total": 3.0, "nobody_knows": 1.0})
    figures.take("wrk_a", {"frames_total": 5.0, "recordings": 1.0})
    figures.take("wrk_a", {})
    figures.take("wrk_b", {"frames_total": 0.5})
    lines = figures.lines()
    assert 'avsession_recorder_frames_total{worker="wrk_a"} 5' in lines
    assert 'avsession_recorder_frames_total{worker="wrk_b"} 0.5' in lines
    assert "# TYPE avsession_recorder_frames_total counter" in lines
    assert "# TYPE avsession_recorder_recordings gauge" in lines
    assert not any("nobody_knows" in line for line in lines)
    figures.forget("wrk_a")
    assert not any("wrk_a" in line for line in figures.lines())


async def chosen_by(world: World) -> WorkerInfo | None:
    async with world.store.read() as tx:
        return await choose_worker(world.app, tx, None)


async def test_a_worker_without_room_is_asked_last(world: World) -> None:
    full, other = world.recorder, Recorder(world)
    full.worker, other.worker = sorted(new_id("wrk", secrets.token_bytes) for _ in range(2))
    await full.join()
    await other.join()
    for recorder in (full, other):
        taking = 0.0 if recorder is full else 1.0
        beat = Heartbeat(sent=0.0, figures={"taking": taking})
        workers.heartbeat(world.app, recorder.worker, beat)
        chosen = await chosen_by(world)
        assert chosen is not None
        assert chosen.worker == other.worker
    # if there is no other it is asked all the same, and says why it refuses
    world.hub._workers.pop(other.worker)
    await workers.worker_gone(world.app, other.worker)
    chosen = await chosen_by(world)
    assert chosen is not None
    assert chosen.worker == full.worker
