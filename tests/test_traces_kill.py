"""Killed at any moment, a writer leaves its committed epochs whole and nothing else to be seen."""

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from trace_runs import epoch_arrays, manifest, samples

from lethe.traces import open_run, read_run

SIZE = 2000
WRITER = """
import sys
from trace_runs import manifest, samples, write
from lethe.traces import open_run
with open_run(sys.argv[1], manifest(), samples(2000)) as log:
    for epoch in range(len(log.committed()), 100000):
        write(log, epoch)
        print(epoch, flush=True)
"""


def write_until_killed(folder: Path, wait: float) -> int:
    """Kill a writer `wait` seconds after its first epoch; returns the last epoch it reported."""
    command = [sys.executable, "-c", WRITER, str(folder)]
    writer = subprocess.Popen(command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True)
    reported = writer.stdout.readline()
    time.sleep(wait)
    writer.kill()
    lines = (reported + writer.communicate()[0]).splitlines()
    return int(lines[-1])


def test_kill_leaves_exactly_the_committed_epochs(tmp_path):
    moments = random.Random(1)
    folder = tmp_path / "run"
    for _ in range(4):
        reported = write_until_killed(folder, moments.uniform(0, 0.15))
        ds = read_run(folder)
        assert ds.sizes["epoch"] in (reported + 1, reported + 2)
        with open_run(folder, manifest(), samples(SIZE)) as log:
            assert log.committed() == list(range(ds.sizes["epoch"]))
    for epoch in range(ds.sizes["epoch"]):
        for name, expected in epoch_arrays(epoch, n=SIZE).items():
            np.testing.assert_array_equal(ds[name].values[epoch], expected)


@pytest.mark.parametrize("left", [".part", ".parquet"])
def test_left_overs_of_a_kill_are_never_read(tmp_path, left):
    with open_run(tmp_path / "run", manifest(), samples()) as log:
        log.write_epoch(0, epoch_arrays(0), {}, {})
    stray = "eval-0001.parquet" + (left if left == ".part" else "")
    (tmp_path / "run/epochs" / stray).write_bytes(b"half an epo")
    with open_run(tmp_path / "run", manifest(), samples()) as log:
        assert log.committed() == [0]
        log.write_epoch(1, epoch_arrays(1), {}, {})
    assert read_run(tmp_path / "run").sizes["epoch"] == 2
