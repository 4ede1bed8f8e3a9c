"""lethe.capture.sweep.schedule: what is sent, sent again, left to others, and given up.

Capturing is played by a few files, so that these tests need no training; the executors are threads,
or break on purpose.
"""

import io
import json
import os
import threading
import time
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor

import pytest
from rich.console import Console

from lethe.capture import plan_run
from lethe.capture.sweep import leases, places, run_sweep, schedule, worker
from lethe.capture.sweep.progress import Board, duration
from lethe.cli_sweep import drawn
from lethe.errors import LetheError
from lethe.traces.files import lock, read_json


@pytest.fixture
def runs():
    return [plan_run("glyphs", "test_resnet", seed=k, weights="none") for k in range(5)]


@pytest.fixture(autouse=True)
def played(monkeypatch):
    """Replaces capturing; returns the names of the runs that were captured, in order."""
    done = []

    def capture(task):
        done.append(task.run.name)
        finish(task.out / task.run.name)

    monkeypatch.setattr(worker, "capture", capture)
    monkeypatch.setattr(schedule, "LOOK_AGAIN", 0.05)
    monkeypatch.setattr(schedule, "PAUSE", 0.01)
    return done


def finish(folder):
    """Make the folder of a finished run."""
    (folder / "epochs").mkdir(parents=True, exist_ok=True)
    (folder / "epochs" / "eval-0000.commit.json").write_text("{}")
    (folder / "manifest.json").write_text('{"weights_sha256": ""}')
    (folder / "done.json").write_text('{"epochs": 1}')


class Breaking:
    """An executor of threads whose worker is lost at chosen calls, counted from 0."""

    def __init__(self, lost):
        self.lost, self.calls = lost, 0

    def submit(self, function, task):
        future, number = Future(), self.calls
        self.calls += 1
        if number in self.lost:
            future.set_exception(BrokenExecutor("a process was terminated abruptly"))
        else:
            future.set_result(function(task))
        return future


def states(outcomes):
    return [outcome.state for outcome in outcomes]


def test_runs_are_carried_out_in_order_and_finished_ones_skipped(runs, tmp_path, played):
    finish(tmp_path / runs[1].name)
    with ThreadPoolExecutor(1) as executor:
        assert states(run_sweep(runs, tmp_path, executor)) == ["done"] * 5
        assert played == [runs[k].name for k in (0, 2, 3, 4)]
        assert states(run_sweep(runs, tmp_path, executor)) == ["done"] * 5
    assert len(played) == 4
    assert not list((tmp_path / "sweep" / "leases").iterdir())
    log = places.log_file(tmp_path, runs[0].name).read_text()
    assert "begun on" in log
    assert "done after" in log


def test_a_run_that_fails_is_not_repeated_and_stops_no_other(runs, tmp_path, played, monkeypatch):
    def capture(task):
        played.append(task.run.name)
        if task.run.seed == 1:
            raise LetheError("the loss is NaN")
        if task.run.seed == 2:
            raise ZeroDivisionError("division by\nzero")
        finish(task.out / task.run.name)

    monkeypatch.setattr(worker, "capture", capture)
    with ThreadPoolExecutor(2) as executor:
        outcomes = run_sweep(runs, tmp_path, executor, retries=5)
    assert states(outcomes) == ["done", "failed", "failed", "done", "done"]
    assert [o.error for o in outcomes[1:3]] == [
        "the loss is NaN",
        "ZeroDivisionError: division by zero",
    ]
    assert sorted(played) == sorted(run.name for run in runs)
    log = places.log_file(tmp_path, runs[2].name).read_text()
    assert "Traceback" in log
    assert "ZeroDivisionError" in log
    assert "Traceback" not in places.log_file(tmp_path, runs[1].name).read_text()
    board = Board(runs, tmp_path)
    board.refresh()
    assert board.line() == "3 of 5 runs done, 0 running, 2 failed, 0 waiting"
    assert board.failures()[0] == (runs[1].name, "the loss is NaN")


def test_a_failed_run_is_tried_again_by_the_next_command(runs, tmp_path, played, monkeypatch):
    good = worker.capture
    monkeypatch.setattr(worker, "capture", lambda task: 1 / 0)
    assert states(run_sweep(runs[:1], tmp_path, Breaking(()))) == ["failed"]
    monkeypatch.setattr(worker, "capture", good)
    assert states(run_sweep(runs[:1], tmp_path, Breaking(()))) == ["done"]
    assert not places.failure_file(tmp_path, runs[0].name).exists()
    assert places.log_file(tmp_path, runs[0].name).read_text().count("begun on") == 2


def test_a_lost_worker_is_replaced_twice_and_no_more(runs, tmp_path):
    executor = Breaking({0, 1})
    assert states(run_sweep(runs[:1], tmp_path / "a", executor)) == ["done"]
    assert executor.calls == 3
    executor = Breaking(range(3))
    (outcome,) = run_sweep(runs[:1], tmp_path / "b", executor)
    assert outcome.state == "failed"
    assert outcome.error.startswith("its worker was lost 3 times, last by BrokenExecutor")
    assert executor.calls == 3
    executor = Breaking({0})
    (outcome,) = run_sweep(runs[:1], tmp_path / "c", executor, retries=0)
    assert outcome.error.startswith("its worker was lost 1 time, ")
    assert read_json(places.failure_file(tmp_path / "c", runs[0].name))["error"] == outcome.error


def test_an_executor_that_takes_nothing_more_fails_the_runs_and_ends(runs, tmp_path):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    outcomes = run_sweep(runs, tmp_path, executor)
    assert states(outcomes) == ["failed"] * 5
    assert "cannot schedule new futures" in outcomes[0].error


def test_a_run_that_another_sweep_holds_is_left_to_it(runs, tmp_path, played):
    lease = leases.take(places.lease_place(tmp_path, runs[0].name), 60)

    def end_it():
        time.sleep(0.4)
        finish(tmp_path / runs[0].name)
        lease.give_back(finished=True)

    other = threading.Thread(target=end_it)
    other.start()
    assert states(run_sweep(runs, tmp_path, Breaking(()))) == ["done"] * 5
    other.join()
    assert runs[0].name not in played
    assert len(played) == 4


def test_a_run_that_another_gave_back_unfinished_is_taken(runs, tmp_path, played):
    lease = leases.take(places.lease_place(tmp_path, runs[0].name), 60)
    other = threading.Timer(0.3, lease.give_back, [False])
    other.start()
    assert states(run_sweep(runs[:2], tmp_path, Breaking(()))) == ["done"] * 2
    assert played == [runs[1].name, runs[0].name]


def test_a_run_whose_holder_elsewhere_fell_silent_is_taken_over(runs, tmp_path, played):
    place = places.lease_place(tmp_path, runs[0].name)
    place.mkdir(parents=True)
    held = {"machine": "one that died", "seconds": 1.0, "locked": True}
    (place / "000004.json").write_text(json.dumps(held))
    begun = time.monotonic()
    assert states(run_sweep(runs[:2], tmp_path, Breaking(()))) == ["done"] * 2
    assert played == [runs[1].name, runs[0].name]
    assert time.monotonic() - begun >= 1


def test_a_run_that_a_plain_capture_writes_is_waited_for(runs, tmp_path, played, monkeypatch):
    """It takes no lease, but the lock of the folder."""
    folder = tmp_path / runs[0].name
    folder.mkdir()
    held, good = lock(folder / "lock"), worker.capture

    def capture(task):
        if task.run.seed == 0:
            lock(folder / "lock").close()
        good(task)

    monkeypatch.setattr(worker, "capture", capture)
    other = threading.Timer(0.3, held.close)
    other.start()
    assert states(run_sweep(runs[:2], tmp_path, Breaking(()))) == ["done"] * 2
    assert not places.failure_file(tmp_path, runs[0].name).exists()


def test_two_sweeps_at_once_share_the_runs(tmp_path, monkeypatch, played):
    """Two threads stand for two sweeps; no run is captured twice."""
    runs = [plan_run("glyphs", "test_resnet", seed=k, weights="none") for k in range(30)]
    monkeypatch.setattr(worker, "ONE_AT_A_TIME", threading.Semaphore(8))
    good = worker.capture
    monkeypatch.setattr(worker, "capture", lambda task: (time.sleep(0.005), good(task)))
    ends = []

    def sweep():
        with ThreadPoolExecutor(4) as executor:
            ends.append(run_sweep(runs, tmp_path, executor))

    both = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert [states(end) for end in ends] == [["done"] * 30] * 2
    assert sorted(played) == sorted(run.name for run in runs)


def test_a_finished_run_that_is_not_whole_fails_alone(runs, tmp_path):
    finish(tmp_path / runs[0].name)
    (tmp_path / runs[0].name / "done.json").write_text('{"epochs": 7}')
    finish(tmp_path / runs[1].name)
    (tmp_path / runs[1].name / "manifest.json").write_text('{"weights_sha256": "other"}')
    finish(tmp_path / runs[2].name)
    (tmp_path / runs[2].name / "manifest.json").write_text("{}")
    outcomes = run_sweep(runs[:4], tmp_path, Breaking(()))
    assert states(outcomes) == ["failed", "failed", "failed", "done"]
    assert "done.json counts 7 epochs, 1 are committed" in outcomes[0].error
    assert "begun with other weights" in outcomes[1].error


def test_a_finished_run_with_a_checkpoint_left_is_tidied(runs, tmp_path, played):
    """Killed between the last record and the removal of the checkpoint."""
    finish(tmp_path / runs[0].name)
    (tmp_path / runs[0].name / "checkpoint-0030.safetensors").touch()
    run_sweep(runs[:1], tmp_path, Breaking(()))
    assert played == [runs[0].name]


def test_ctrl_c_cancels_what_is_queued_and_goes_through(runs, tmp_path, played):
    def tick():
        raise KeyboardInterrupt

    never = [Future() for _ in runs]
    executor = type("Queue", (), {"submit": lambda self, *_: never[next(count)]})()
    count = iter(range(9))
    with pytest.raises(KeyboardInterrupt):
        run_sweep(runs, tmp_path, executor, tick=tick)
    assert all(future.cancelled() for future in never)


def test_no_more_than_asked_are_with_the_executor(runs, tmp_path):
    most, now, guard = [0], [0], threading.Lock()

    class Counting(ThreadPoolExecutor):
        def submit(self, function, task):
            with guard:
                now[0] += 1
                most[0] = max(most[0], now[0])
            future = super().submit(function, task)
            future.add_done_callback(lambda _: now.__setitem__(0, now[0] - 1))
            return future

    with Counting(1) as executor:
        run_sweep(runs, tmp_path, executor, at_once=2)
    assert most == [2]


@pytest.mark.parametrize(
    "wrong",
    [{"lease": 0.5}, {"retries": -1}, {"jobs": -1}, {"threads": 0}, {"lease": float("nan")}],
)
def test_numbers_that_make_no_sense_are_refused(runs, tmp_path, wrong):
    with pytest.raises(LetheError, match="must be 1 or more"):
        run_sweep(runs, tmp_path, Breaking(()), **wrong)


def test_a_folder_that_cannot_be_written_is_refused(runs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LetheError, match="cannot create the folder"):
        run_sweep(runs, tmp_path / "file" / "runs", Breaking(()))


def test_the_time_left_comes_from_the_pace_of_the_epochs(runs, tmp_path):
    for number, run in enumerate(runs[:2]):
        folder = tmp_path / run.name / "epochs"
        folder.mkdir(parents=True)
        for epoch in range(3 + number):
            (folder / f"eval-{epoch:04d}.commit.json").write_text("{}")
            os.utime(folder / f"eval-{epoch:04d}.commit.json", (0, 10.0 * epoch))
    held = [leases.take(places.lease_place(tmp_path, run.name), 60) for run in runs[:2]]
    board = Board(runs, tmp_path)
    board.refresh()
    left = 3 * 31 + 28 + 27
    assert board.seconds_left() == pytest.approx(10 * left / 2)
    assert board.line() == ("0 of 5 runs done, 2 running, 0 failed, 3 waiting; about 12 min left")
    assert board.table()[1] == (runs[1].name, "running", "4/31", "10.0 s an epoch")
    screen = Console(width=120, record=True, file=io.StringIO())
    screen.print(drawn(board))
    shown = screen.export_text()
    assert "0 of 5 runs done, 2 running" in shown
    assert f"{runs[1].name}" in shown
    assert "4/31" in shown
    for lease in held:
        lease.give_back(finished=False)


def test_durations_in_words():
    assert [duration(s) for s in (0, 89, 90, 5000, 5400, 12000)] == [
        "0 s",
        "89 s",
        "2 min",
        "83 min",
        "1 h 30 min",
        "3 h 20 min",
    ]


def test_a_preempted_job_is_sent_again_as_it_was(runs, tmp_path):
    """What submitit calls when Slurm stops a job."""
    task = worker.Task(runs[0], tmp_path, "cpu", 1, 60.0, "the sweep")
    again = worker.carry_out.checkpoint(task)
    assert (again.function, again.args) == (worker.carry_out, (task,))
