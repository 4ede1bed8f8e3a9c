"""One run on two processes of one thread each, beside one process of two threads, on two cores.

Prints the seconds of the fastest training epoch of each, in turns, and their ratio. Cost: about two
minutes on two idle cores; the rest of the machine should be idle.

    python benchmarks/processes.py --quick
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from lethe.capture import capture_run, plan_run
from lethe.capture.plan import Run
from lethe.traces import read_run

LAUNCH = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
KINDS = {"1 process, 2 threads": ([], 2), "2 processes, 1 thread": (LAUNCH, 1)}


def planned(model: str, limit: int) -> Run:
    """Three epochs, the first of which also warms up; few passes over the test images."""
    return plan_run(
        "glyphs", model, weights="none", limit=limit, epochs=3, warmup_epochs=1, test_every=3
    )


def seconds(kind: str, model: str, limit: int) -> float:
    """The fastest of a run's epochs of training, in seconds."""
    launch, threads = KINDS[kind]
    with tempfile.TemporaryDirectory() as out:
        work = [__file__, "--work", out, "--model", model, f"--limit={limit}"]
        subprocess.run([sys.executable, *launch, *work, f"--threads={threads}"], check=True)
        trace = read_run(Path(out) / planned(model, limit).name)
    return float(trace.seconds.sel(epoch=slice(1, None)).min())


def main() -> None:
    """Measure both kinds in turns, or carry one run of one kind."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true")
    options.add_argument("--work", default="")
    options.add_argument("--model", default="resnet18")
    options.add_argument("--limit", type=int, default=0)
    options.add_argument("--threads", type=int, default=1)
    given = options.parse_args()
    if given.work:
        run = planned(given.model, given.limit)
        capture_run(run, given.work, device="cpu", threads=given.threads)
        return
    limit = given.limit or (256 if given.quick else 1024)
    fastest = dict.fromkeys(KINDS, float("inf"))
    for _ in range(1 if given.quick else 3):
        for kind in KINDS:
            fastest[kind] = min(fastest[kind], seconds(kind, given.model, limit))
    first = next(iter(fastest.values()))
    print(f"| {given.model}, {limit} glyphs | images/s | ratio |\n|---|---:|---:|")
    for kind, best in fastest.items():
        print(f"| {kind} | {limit / best:.0f} | {first / best:.2f} |")


if __name__ == "__main__":
    main()
