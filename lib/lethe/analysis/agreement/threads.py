"""Independent pieces of work on all cores, with the result that one core would give.

Definition: threads, because compiled kernels and large NumPy operations let go of the interpreter.
The first piece is timed: short ones stay on one thread, where they are faster, and so does work
inside a piece. Cost: a tenth of a millisecond a call.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
WORTH_A_THREAD = 0.002  # seconds: shorter pieces wait for the interpreter longer than they work
_here = threading.local()


def cores() -> int:
    """Number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Results of work(item) in the order of the items; the first error is raised here."""
    begun = time.perf_counter()
    first = [work(item) for item in items[:1]]
    short = time.perf_counter() - begun < WORTH_A_THREAD
    rest, workers = items[1:], min(cores(), len(items) - 1)
    if short or workers < 2 or getattr(_here, "busy", False):
        return first + [work(item) for item in rest]

    def run(item: Item) -> Result:
        _here.busy = True
        return work(item)

    with ThreadPoolExecutor(workers) as pool:
        # each in a copy of the caller's context, so that np.errstate holds in the threads too
        parts = [pool.submit(copy_context().run, run, item) for item in rest]
        return first + [part.result() for part in parts]
