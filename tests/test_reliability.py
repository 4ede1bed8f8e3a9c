"""Killed at any moment and given again, a capture ends byte for byte like one never interrupted.

Slow: about three minutes on one core. Run with `pytest -m slow tests/test_reliability.py -s`.
"""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import reliability_runs as runs
from tiny_captures import capture, contents, plan

from lethe.capture import finetune, plan_run
from lethe.capture.verify import verify_run
from lethe.errors import LetheError
from lethe.traces import files

pytestmark = pytest.mark.slow
MOMENTS = 20
START_UPS = 4  # of these, in a new interpreter while it starts


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The uninterrupted run by kind, its folder's name and files; and how long a long one takes."""
    base, made = tmp_path_factory.mktemp("whole"), {}
    for choices in (runs.SMALL, runs.LONG):
        begun = time.perf_counter()
        assert runs.finish(runs.capture, base, **choices) == 0
        folder = base / plan(**choices).name
        made[choices["limit"]] = folder.name, contents(folder), time.perf_counter() - begun
    return made


def committed(folder: Path) -> dict[str, bytes]:
    """The committed files as they lie there, clock times and all."""
    records = {path.name.split(".")[0] for path in folder.glob("epochs/*.commit.json")}
    paths = [path for path in folder.glob("epochs/*") if path.name.split(".")[0] in records]
    return {path.name: path.read_bytes() for path in paths if not path.name.endswith(".part")}


def lost(before: dict[str, bytes], folder: Path) -> int:
    """How many files that were committed before are gone or changed now."""
    now = committed(folder)
    return sum(now.get(name) != data for name, data in before.items())


def kill_at(moment: float, out: Path, start_up: bool) -> bool:
    """Kill a capture after so many seconds; whether it was still alive."""
    # every other run writes few checkpoints and repeats what it committed since
    kind = runs.capture_sparse if int(out.parent.name) % 2 else runs.capture
    if start_up:
        command = [sys.executable, "-c", runs.START, str(out)]
        child = subprocess.Popen(command, cwd=Path(__file__).parent)
    else:
        child = runs.start(kind, out, **runs.LONG)
    time.sleep(moment)
    child.kill()
    code = child.wait() if start_up else (child.join() or child.exitcode)
    return code == -signal.SIGKILL


def killed_run(moment: float, out: Path, start_up: bool) -> tuple[Path, float]:
    """A folder with a run killed after so many seconds, or earlier where it had ended by then."""
    for attempt in range(20):
        if kill_at(moment * 0.8**attempt, out / str(attempt), start_up):
            return out / str(attempt), moment * 0.8**attempt
    raise AssertionError("no capture lived long enough to be killed")


def test_killed_at_random_moments(whole, tmp_path, capsys):
    name, expected, seconds = whole[runs.LONG["limit"]]
    rng, moments, kept, lost_files, equal = random.Random(2604), [], [], 0, 0
    for number in range(MOMENTS):
        start_up = number < START_UPS
        share = (number - START_UPS + rng.random()) / (MOMENTS - START_UPS)
        wanted = rng.uniform(0.1, 2) if start_up else share * seconds
        out, moment = killed_run(wanted, tmp_path / str(number), start_up)
        before = committed(out / name)
        assert runs.finish(runs.capture, out, **runs.LONG) == 0
        moments.append(moment)
        kept.append(sum(file.endswith("commit.json") for file in before))
        lost_files += lost(before, out / name)
        equal += contents(out / name) == expected
    report = [
        f"{len(moments)} moments killed, in s: {', '.join(f'{moment:.1f}' for moment in moments)}",
        f"epochs committed by then, in both views: {', '.join(map(str, kept))}",
        f"committed files lost or changed: {lost_files}; folders byte-identical: {equal}",
    ]
    with capsys.disabled():
        print("", *report, sep="\n")
    assert (len(moments), lost_files, equal) == (MOMENTS, 0, MOMENTS)
    assert len(set(kept)) > 2, "the moments do not reach over the run"


@pytest.mark.parametrize("operation", ["write", "fsync", "replace", "unlink"])
def test_killed_at_every_file_operation(operation, whole, tmp_path, capsys):
    """In the middle of every write, and right before every flush, rename and removal."""
    name, expected, _ = whole[runs.SMALL["limit"]]
    count = runs.finish(runs.capture_killed, tmp_path / "count", operation, 0, runs.SMALL)
    lost_files = equal = 0
    for number in range(1, count + 1):
        out = tmp_path / str(number)
        code = runs.finish(runs.capture_killed, out, operation, number, runs.SMALL)
        assert code == -signal.SIGKILL
        before = committed(out / name)
        assert runs.finish(runs.capture, out, **runs.SMALL) == 0
        lost_files += lost(before, out / name)
        equal += contents(out / name) == expected
    with capsys.disabled():
        print(f"\n{count} kills at a {operation}: {lost_files} committed files lost, {equal} equal")
    assert count >= 3
    assert (lost_files, equal) == (0, count)


def test_the_second_process_is_refused_and_the_first_unharmed(whole, tmp_path):
    name, expected, _ = whole[runs.LONG["limit"]]
    first = runs.start(runs.capture, tmp_path, **runs.LONG)
    await_commit(tmp_path / name)
    with pytest.raises(LetheError, match="is being written by another process") as refusal:
        capture(tmp_path, **runs.LONG)
    assert "\n" not in str(refusal.value)
    first.join()
    assert first.exitcode == 0
    assert contents(tmp_path / name) == expected


def test_a_run_that_another_process_finishes_meanwhile_is_left_alone(tmp_path, monkeypatch):
    """Finished between the first look at the folder and its lock."""
    open_run = finetune.open_run

    def open_late(*args):
        monkeypatch.setattr(finetune, "open_run", open_run)
        expected.update(contents(capture(tmp_path, **runs.SMALL)))
        return open_run(*args)

    expected = {}
    monkeypatch.setattr(finetune, "open_run", open_late)
    assert contents(capture(tmp_path, **runs.SMALL)) == expected
    assert "done.json" in expected


def await_commit(folder: Path) -> None:
    """Wait for the first commit record of a run."""
    for _ in range(6000):
        if list(folder.glob("epochs/*.commit.json")):
            return
        time.sleep(0.01)
    raise AssertionError(f"{folder} has no commit after a minute")


def test_a_killed_command_leaves_no_worker_that_holds_the_run(tmp_path):
    """`lethe capture` works in child processes: kill -9 of the command must end them too."""
    arguments = "capture glyphs --weights none --limit 248 -s epochs=12 --jobs 1 --device cpu --out"
    code = "from lethe.cli import main; main()"
    command = [sys.executable, "-c", code, *arguments.split(), str(tmp_path)]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    folder = tmp_path / plan_run("glyphs", "test_resnet", weights="none", limit=248, epochs=12).name
    await_commit(folder)
    first.kill()
    first.wait()
    await_lock(folder)
    assert not (folder / "done.json").exists()
    before = committed(folder)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert lost(before, folder) == 0
    assert verify_run(folder).problems == []


def await_lock(folder: Path) -> None:
    """Wait until no process holds the run's lock."""
    for _ in range(3000):
        try:
            return files.lock(folder / "lock").close()
        except LetheError:
            time.sleep(0.01)
    raise AssertionError(f"{folder} is still locked half a minute after the kill")
