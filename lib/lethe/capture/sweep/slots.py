"""The executor of one machine: worker processes that are lost one by one and replaced.

The pool of the standard library ends all its workers when one is lost. Here every worker is a pool
of one, bound to its own graphics card, so a kill costs one run its last seconds and no other run
anything. Cost: a start of a worker imports torch, about 5 s on a processor.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from typing import Any

CARDS = "CUDA_VISIBLE_DEVICES"


class Slots(Executor):
    """One worker process for every entry of `cards`: the graphics card that it is to see."""

    def __init__(self, cards: Sequence[str | None]) -> None:
        """No worker is started yet; None leaves a worker what this process sees."""
        self.size = len(cards)
        self._free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._slots = [Slot(card, self._ending) for card in cards]
        for slot in self._slots:
            self._free.put(slot)
        self._threads = ThreadPoolExecutor(len(cards))

    def submit(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Call it in the next free worker; BrokenExecutor from the future if that is lost."""
        return self._threads.submit(self._call, function, *args, **named)

    def _call(self, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        slot = self._free.get()
        try:
            return slot.call(function, *args, **named)
        finally:
            self._free.put(slot)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers; with `cancel_futures` at once, in the middle of their runs."""
        if cancel_futures:
            self._ending.set()
            self._threads.shutdown(wait=False, cancel_futures=True)
            for slot in self._slots:
                slot.kill()
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        for slot in self._slots:
            slot.close()


class Slot:
    """A place for one worker process, which is started when it is needed."""

    def __init__(self, card: str | None, ending: threading.Event) -> None:
        """The card that workers of this place are to see; `ending` is set when all are to end."""
        self.card, self._ending = card, ending
        self._pool: ProcessPoolExecutor | None = None
        self._pid = 0

    def call(self, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """The result from the worker; BrokenExecutor if it is lost, and a new one the next time."""
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, context, prepare, (self.card,))
        try:
            self._pid = self._pool.submit(os.getpid).result()
            if self._ending.is_set():  # it was asked to end before it could be killed
                raise BrokenExecutor("the sweep has ended")
            return self._pool.submit(function, *args, **named).result()
        except BrokenExecutor:
            self.close()
            raise

    def kill(self) -> None:
        """End the worker now: what it has committed is on the disk."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def close(self) -> None:
        """Let the worker end, or forget a lost one."""
        pool, self._pool, self._pid = self._pool, None, 0
        if pool:
            pool.shutdown()


def prepare(card: str | None) -> None:
    """Make a new worker see one graphics card, leave Ctrl-C to its parent, and end with it."""
    if card is not None:
        os.environ[CARDS] = card
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def end_with_parent() -> None:
    """Let this worker die when its parent is killed: it would write on, and hold the run's lock
    against the same command given again.
    """
    parent = multiprocessing.parent_process()
    if parent:

        def wait_and_die() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=wait_and_die, daemon=True).start()


def cards_for(device: str, jobs: int) -> list[str | None]:
    """The card of each worker: by default one worker a card, or one worker on a processor.

    More jobs than cards share them in turn. A named card such as `cuda:1` gets all the jobs.
    """
    cards: list[str | None] = list(visible_cards()) if device in ("auto", "cuda") else []
    cards = cards or [None]
    return [cards[k % len(cards)] for k in range(jobs or len(cards))]


def visible_cards() -> list[str]:
    """The graphics cards that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    count = torch.cuda.device_count()
    named = [card.strip() for card in os.environ.get(CARDS, "").split(",") if card.strip()]
    return named[:count] if named else [str(k) for k in range(count)]
