"""Carries out the runs of a sweep with an executor, and sees them through.

A run that is finished is skipped; one whose worker is lost is sent again; one that somebody else
holds is watched until it is finished, or its lease falls silent and it is taken over. Nothing is
remembered here: a sweep that is killed and given again reads all it needs from the disk. Cost: a
tenth of a second of waiting between looks, and a few file operations a run and look.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lethe.capture.sweep import leases, places
from lethe.capture.sweep.slots import Slots, cards_for
from lethe.capture.sweep.worker import (
    DONE,
    FAILED,
    HELD,
    Outcome,
    Task,
    carry_out,
    failed,
    here,
    is_done,
    one_line,
)
from lethe.errors import LetheError
from lethe.traces import files

if TYPE_CHECKING:
    from lethe.capture.plan import Run

LEASE = 90.0  # seconds without a beat after which a run is taken over
PAUSE = 0.1  # seconds between two looks at the futures
PAUSE_A_RUN = 0.002  # of that for every run with the executor: each is a file to look for
LOOK_AGAIN = 2.0  # seconds until a run that another holds is looked at again


def run_sweep(
    runs: Iterable[Run],
    out: Path | str,
    executor: Any = None,
    *,
    device: str = "auto",
    jobs: int = 0,
    threads: int = 1,
    retries: int = 2,
    lease: float = LEASE,
    at_once: int = 0,
    tick: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """Capture every run into `out` with a `concurrent.futures.Executor` or what behaves like one;
    returns how each ended, in order. No run's failure stops the others.

    Without an executor: `jobs` worker processes here, by default one a graphics card, or one on a
    processor. `retries` is how often a run is sent again after its worker was lost; `lease` is in
    seconds; `at_once` limits how many runs the executor has been given (0 = all, or a worker each);
    `tick` is called between looks. LetheError if `out` cannot be written.
    """
    if not 1 <= lease <= 86400 or retries < 0 or jobs < 0 or threads < 1:
        raise LetheError(
            "lease (seconds, up to a day) and threads must be 1 or more, retries and jobs 0 or more"
        )
    out = Path(out).resolve()  # workers may have another current folder
    files.make_folder(out / places.FOLDER)
    schedule = Schedule(list(runs), out, (device, threads, lease), retries)
    if schedule.waiting and executor is None:
        executor = Slots(cards_for(device, jobs))
        with contextlib.ExitStack() as stack:
            stack.push(lambda kind, *_: executor.shutdown(cancel_futures=kind is not None))
            schedule.work(executor, at_once or executor.size, tick)
    elif schedule.waiting:
        schedule.work(executor, at_once, tick)
    return schedule.outcomes()


class Schedule:
    """Which runs wait, which are with the executor, which are held elsewhere, how each ended."""

    def __init__(
        self, runs: Sequence[Run], out: Path, how: tuple[str, int, float], retries: int
    ) -> None:
        """Sort out what is done; `how` is device, threads and length of the lease."""
        self.out, self.how, self.retries = out, how, retries
        self.runs = {run.name: run for run in runs}
        self.ended: dict[str, Outcome] = {}
        self.sent: dict[Any, str] = {}
        self.elsewhere: dict[str, float] = {}  # when to look again
        self.lost: Counter[str] = Counter()
        self.held: Counter[str] = Counter()  # how often a worker found a run held
        self.watch = leases.Watch()
        self.silent: dict[str, leases.Sign] = {}
        self.waiting = deque(name for name in self.runs if not self.finished(name))

    def outcomes(self) -> list[Outcome]:
        """How the runs ended, in their order."""
        return [self.ended[name] for name in self.runs]

    def finished(self, name: str) -> bool:
        """Whether a run has ended by now: finished on the disk, by whomever, or not whole there."""
        try:
            if not is_done(self.out, name):
                return False
            check_weights(self.runs[name], self.out)
        except Exception as error:  # one odd folder must not stop the others
            self.ended[name] = failed(self.out, name, one_line(error))
            return True
        files.discard(places.failure_file(self.out, name))
        leases.clear(places.lease_place(self.out, name))
        self.ended[name] = Outcome(name, DONE)
        return True

    def work(self, executor: Any, at_once: int, tick: Callable[[], None]) -> None:
        """Until every run has ended; Ctrl-C takes back what is still queued."""
        try:
            with batch(executor):
                self.send(executor, at_once)
            while self.sent or self.waiting or self.elsewhere:
                self.look_elsewhere()
                self.send(executor, at_once)
                self.collect()
                tick()
                time.sleep(max(PAUSE, PAUSE_A_RUN * len(self.sent)))
        except BaseException:
            for future in self.sent:
                future.cancel()
            raise

    def send(self, executor: Any, at_once: int) -> None:
        """Give runs to the executor, as many as it may have."""
        while self.waiting and (not at_once or len(self.sent) < at_once):
            name = self.waiting.popleft()
            if self.finished(name):
                continue
            place = places.lease_place(self.out, name)
            if name not in self.silent and not leases.is_free(place, leases.look(place)):
                self.elsewhere[name] = time.monotonic()
                continue
            task = Task(self.runs[name], self.out, *self.how, here(), self.silent.pop(name, None))
            try:
                self.sent[executor.submit(carry_out, task)] = name
            except Exception as error:  # the executor itself is broken
                self.end_lost(name, error)

    def collect(self) -> None:
        """Take in what the executor has done."""
        for future in [future for future in self.sent if future.done()]:
            name = self.sent.pop(future)
            try:
                outcome = future.result()
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # dask's cancellation is no Exception
                self.end_lost(name, error)
                continue
            if outcome.state == HELD:
                self.held[name] += 1
                wait = LOOK_AGAIN * 2 ** min(self.held[name] - 1, 5)
                self.elsewhere[name] = time.monotonic() + wait
            else:
                self.ended[name] = outcome

    def end_lost(self, name: str, error: BaseException) -> None:
        """A worker was lost: send its run again, or give it up."""
        self.lost[name] += 1
        if self.lost[name] <= self.retries:
            self.waiting.append(name)
            return
        times = self.lost[name]
        reason = f"its worker was lost {times} time{'s' * (times > 1)}, last by {one_line(error)}"
        self.ended[name] = failed(self.out, name, reason)

    def look_elsewhere(self) -> None:
        """See whether runs that others held are finished, given back, or silent."""
        now = time.monotonic()
        for name in [name for name, when in self.elsewhere.items() if when <= now]:
            place = places.lease_place(self.out, name)
            if self.finished(name):
                del self.elsewhere[name]
                continue
            silent = self.watch.silent(place)
            if silent:
                self.silent[name] = silent
            if silent or leases.is_free(place, leases.look(place)):
                del self.elsewhere[name]
                self.waiting.append(name)
            else:
                self.elsewhere[name] = now + LOOK_AGAIN


def batch(executor: Any) -> Any:
    """The context in which submitit gathers jobs into one Slurm array; others need none."""
    return executor.batch() if hasattr(executor, "batch") else contextlib.nullcontext()


def check_weights(run: Run, out: Path) -> None:
    """LetheError if a finished run was begun with other pretrained weights than are there now."""
    from lethe.capture import finetune

    finetune.check_weights(out / run.name, run)


def failures(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Those that did not end well."""
    return [outcome for outcome in outcomes if outcome.state == FAILED]
