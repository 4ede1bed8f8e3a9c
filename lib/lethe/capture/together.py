"""What `lethe capture` does under torchrun: all processes carry one run after another together.

The first process shows the progress and returns the folders; the others keep silent.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from lethe.capture import processes
from lethe.capture.finetune import capture_run
from lethe.capture.many import watch
from lethe.capture.plan import Run
from lethe.errors import LetheError


def capture_together(
    runs: Sequence[Run], out: Path, device: str = "auto", jobs: int = 0
) -> list[Path]:
    """Capture every run on all processes; returns the folders on the first process, none elsewhere.

    LetheError for `jobs` above 1; the first error of a run ends all.
    """
    if jobs > 1:
        raise LetheError("under torchrun all processes carry one run at a time: leave --jobs out")
    with processes.joined(device), watched(runs, out) as futures:
        for run, future in zip(runs, futures):
            future.set_result(capture_run(run, out, device))
        return [] if processes.rank() else [future.result() for future in futures]


@contextmanager
def watched(runs: Sequence[Run], out: Path) -> Iterator[list[Future[Path]]]:
    """A future for every run, whose progress the first process shows until all are set."""
    futures: list[Future[Path]] = [Future() for _ in runs]
    show = threading.Thread(target=watch, args=(runs, out, futures))
    if not processes.rank():
        show.start()
    try:
        yield futures
    except BaseException as error:
        for future in futures:
            if not future.done():
                future.set_exception(error)
        raise
    finally:
        if not processes.rank():
            show.join()
