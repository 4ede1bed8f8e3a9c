"""`lethe sweep` with real runs: killed, given again, given twice at once, with Dask and submitit.

Whatever happened, the folders must hold what a serial capture writes, but for the clock times.
"""

import contextlib
import os
import random
import signal
import time
from concurrent.futures import BrokenExecutor
from pathlib import Path

import pytest
import sweep_runs
import sweep_stealers
from reliability_runs import server
from typer.testing import CliRunner

from lethe import cli_sweep
from lethe.capture.sweep import leases, places, read_sweep, run_sweep, slots
from lethe.capture.sweep.executors import dask_executor, submitit_executor
from lethe.cli import app
from lethe.errors import LetheError


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A sweep file of three runs, and their files after a serial capture."""
    base = tmp_path_factory.mktemp("serial")
    file = sweep_runs.write_sweep(base, "0-2")
    return file, sweep_runs.serial(file, base / "runs")


@pytest.fixture
def quick_workers(monkeypatch):
    """Workers from the fork server, which has torch imported already."""
    context = server()
    monkeypatch.setattr(slots.multiprocessing, "get_context", lambda kind: context)


def test_a_killed_worker_and_a_killed_sweep_end_like_a_serial_capture(whole, tmp_path, capsys):
    """kill -9 of a worker, then of the sweep, then the same command again."""
    file, expected = whole
    first = sweep_runs.begin(file, tmp_path, "--jobs", "1")
    sweep_runs.kill(sweep_runs.await_running(tmp_path)[1])
    sweep_runs.await_running(tmp_path)
    sweep_runs.kill(first.pid)
    first.communicate()
    done = [name for name in expected if (tmp_path / name / "done.json").exists()]
    assert len(done) < 3, "the sweep was over before it could be killed"
    told = sweep(file, tmp_path, "--jobs", "1")
    assert told.exit_code == 0, told.output
    assert told.output.splitlines()[-1].startswith("3 of 3 runs done")
    assert sweep_runs.captured(tmp_path, expected) == expected
    begun = sum(sweep_runs.said(tmp_path, name, "begun on") for name in expected)
    ended = [sweep_runs.said(tmp_path, name, "done after") for name in expected]
    with capsys.disabled():
        print(f"\na worker and the sweep killed: 3 of 3 folders equal, runs begun {begun} times")
    assert ended == [1, 1, 1]
    assert not list((tmp_path / "sweep" / "leases").iterdir())


@pytest.mark.slow
def test_two_sweeps_at_once_do_no_run_twice(whole, tmp_path):
    file, expected = whole
    both = [sweep_runs.begin(file, tmp_path, "--jobs", "1") for _ in range(2)]
    told = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert sweep_runs.captured(tmp_path, expected) == expected
    assert [sweep_runs.said(tmp_path, name, "begun on") for name in expected] == [1, 1, 1]


def test_dask_with_a_killed_worker_ends_like_a_serial_capture(whole, tmp_path):
    file, expected = whole
    killed, tick = sweep_runs.killer(tmp_path)
    with dask_executor("local", jobs=1) as executor:
        outcomes = run_sweep(read_sweep(file).runs, tmp_path, executor, device="cpu", tick=tick)
    assert [outcome.state for outcome in outcomes] == ["done"] * 3
    assert sweep_runs.captured(tmp_path, expected) == expected
    assert sweep_runs.said(tmp_path, killed[0], "begun on") == 2


def test_submitit_with_a_killed_job_ends_like_a_serial_capture(whole, tmp_path):
    file, expected = whole
    killed, tick = sweep_runs.killer(tmp_path)
    executor = submitit_executor("local", tmp_path, {})
    runs = read_sweep(file).runs[:1]
    (outcome,) = run_sweep(runs, tmp_path, executor, device="cpu", at_once=1, tick=tick)
    assert outcome.state == "done"
    names = [run.name for run in runs]
    assert sweep_runs.captured(tmp_path, names) == {name: expected[name] for name in names}
    assert sweep_runs.said(tmp_path, killed[0], "begun on") == 2


@pytest.mark.slow
def test_killed_at_random_moments_until_it_is_done(tmp_path, capsys):
    """Workers and sweeps, by turns, each time a run has epochs but is not finished."""
    file = sweep_runs.write_sweep(tmp_path, "0-4", epochs=16)
    expected = sweep_runs.serial(file, tmp_path / "serial")
    out, rng, kills = tmp_path / "runs", random.Random(2604), {"worker": 0, "sweep": 0}
    begun, process = time.monotonic(), None
    for number in range(12):
        process = process or sweep_runs.begin(file, out, "--jobs", "2", "--retries", "9")
        name, pid = sweep_runs.await_running(out)
        time.sleep(rng.uniform(0, 0.7))
        what = "sweep" if number % 3 == 2 else "worker"
        killed = sweep_runs.kill(process.pid if what == "sweep" else pid)
        while leases.alive(places.lease_place(out, name)):
            time.sleep(0.01)
        kills[what] += killed and not (out / name / "done.json").exists()
        if what == "sweep":
            process.communicate()
            process = None
        if sum((out / n / "done.json").exists() for n in expected) >= len(expected) - 1:
            break
    process = process or sweep_runs.begin(file, out, "--jobs", "2")
    told = process.communicate()
    assert process.returncode == 0, told
    equal = sum(sweep_runs.captured(out, [n]) == {n: expected[n]} for n in expected)
    attempts = sum(sweep_runs.said(out, n, "begun on") for n in expected)
    with capsys.disabled():
        print(
            f"\n{len(expected)} runs, {kills['worker']} workers and {kills['sweep']} sweeps killed "
            f"in the middle of a run, {attempts} beginnings, {equal} folders equal to a serial "
            f"capture, {time.monotonic() - begun:.0f} s"
        )
    assert equal == len(expected)
    assert attempts >= len(expected) + sum(kills.values()), "a kill met no run"


def sweep(file, out, *options):
    """`lethe sweep` in this process; its workers are processes of their own."""
    words = ["sweep", str(file), "--out", str(out), "--device", "cpu", *options]
    return CliRunner().invoke(app, words)


@pytest.mark.usefixtures("quick_workers")
def test_ctrl_c_ends_the_workers_and_keeps_everything(whole, tmp_path, monkeypatch):
    found = []

    @contextlib.contextmanager
    def interrupted(board):
        def tick():
            found[:] = sweep_runs.await_running(tmp_path)
            raise KeyboardInterrupt

        yield tick

    monkeypatch.setattr(cli_sweep, "shown", interrupted)
    told = sweep(whole[0], tmp_path)
    assert told.exit_code == 130
    assert "stopped; the same command goes on" in told.output
    name, worker = found
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
    assert list((tmp_path / name / "epochs").glob("*.commit.json"))
    place = places.lease_place(tmp_path, name)
    assert leases.is_free(place, leases.look(place))


@pytest.mark.slow
def test_ctrl_c_of_the_command_leaves_no_worker(whole, tmp_path):
    process = sweep_runs.begin(whole[0], tmp_path, "--jobs", "2")
    _, worker = sweep_runs.await_running(tmp_path)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all
    output = process.communicate(timeout=60)
    assert process.returncode == 130, output
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


@pytest.mark.usefixtures("quick_workers")
def test_a_run_that_fails_is_listed_with_its_log_and_the_others_are_done(tmp_path):
    """Two tables: weights that are not there, and a run that goes well."""
    table = sweep_runs.TABLE.format(seeds="0", epochs=1, limit=62)
    file, out = tmp_path / "sweep.toml", tmp_path / "runs"
    file.write_text(table.replace('"none"', '"no.safetensors"') + table + table)
    told = sweep(file, out)
    assert told.exit_code == 1
    assert "1 of 2 runs failed, listed above; the others are done" in str(told.exception)
    lines = told.output.splitlines()
    assert lines[0] == "1 runs were listed twice and count once"
    assert any(line.startswith("1 of 2 runs done, 0 running, 1 failed") for line in lines)
    assert any("there is no weights file no.safetensors" in line for line in lines)
    (log,) = [line.split()[-1] for line in lines if "log:" in line]
    assert "failed: there is no weights file" in Path(log).read_text()
    told = sweep(file, out, "--status")
    assert told.exit_code == 0
    assert "failed: there is no weights file" in told.output


def test_the_job_list_names_every_run_and_a_task_is_one_of_them(whole, tmp_path, monkeypatch):
    file, _ = whole
    lines = sweep(file, tmp_path, "--list", "--retries", "0").output.splitlines()
    runs = read_sweep(file).runs
    assert [line.split()[-1] for line in lines] == [run.run_id for run in runs]
    assert lines[0] == (
        f"lethe sweep {file} --out {tmp_path} --device cpu --retries 0 --only {runs[0].run_id}"
    )
    sent = []
    monkeypatch.setattr(
        "lethe.capture.sweep.schedule.run_sweep",
        lambda runs, *_, **__: sent.append([run.name for run in runs]) or [],
    )
    assert sweep(file, tmp_path, "--task", "2").exit_code == 0
    assert sweep(file, tmp_path, "--only", runs[2].name, "--only", runs[0].run_id).exit_code == 0
    assert sent == [[runs[1].name], [runs[0].name, runs[2].name]]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--task", "4"], "there is no task 4: the file has runs 1 to 3"),
        (["--task", "-1"], "there is no task -1"),
        (["--only", "abc"], "no run 'abc' in this file"),
        (["--only", "abc", "--task", "1"], "give --only or --task"),
        (["--list", "--status"], "give one of --list, --status and --dry-run"),
        (["--dask", "local", "--submitit", "local"], "give --dask or --submitit"),
        (["--slurm", "partition"], "written key=value, not 'partition'"),
        (["--lease", "0"], "must be 1 or more"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_one_line(whole, tmp_path, options, reason):
    told = sweep(whole[0], tmp_path, *options)
    assert isinstance(told.exception, LetheError)
    assert reason in str(told.exception)
    assert "\n" not in str(told.exception)


def test_every_worker_sees_its_own_card():
    with slots.Slots(["5", "GPU-7"]) as executor:
        assert {each.call(sweep_stealers.card) for each in executor._slots} == {"5", "GPU-7"}


def test_a_lost_worker_takes_no_other_with_it():
    with slots.Slots([None, None]) as executor:
        futures = [executor.submit(sweep_stealers.pid_or_die, k == 0) for k in range(4)]
        with pytest.raises(BrokenExecutor):
            futures[0].result()
        assert all(future.result() for future in futures[1:])


def test_jobs_are_dealt_out_over_the_cards(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert slots.cards_for("auto", 0) == ["0", "1"]
    assert slots.cards_for("cuda", 5) == ["0", "1", "0", "1", "0"]
    assert slots.cards_for("cuda:1", 2) == [None, None]
    assert slots.cards_for("cpu", 0) == [None]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, GPU-ab")
    assert slots.cards_for("auto", 3) == ["4", "GPU-ab", "4"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert slots.cards_for("auto", 3) == [None] * 3


def test_what_dask_and_submitit_cannot_do_is_refused_in_one_line(tmp_path, monkeypatch):
    with pytest.raises(LetheError, match="a Dask address is tcp"), dask_executor("localhost"):
        pass
    nobody = dask_executor("tcp://127.0.0.1:1", wait=0.5)
    with pytest.raises(LetheError, match="no Dask scheduler answers at tcp"), nobody:
        pass
    with pytest.raises(LetheError, match="did you mean 'slurm'"):
        submitit_executor("slurn", tmp_path, {})
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LetheError, match="submitit refuses"):
        submitit_executor("slurm", tmp_path, {})
    with pytest.raises(LetheError, match=r"submitit refuses: .*partitoin"):
        submitit_executor("local", tmp_path, {"partitoin": "gpu"})
