"""One run on several processes, started by torchrun: who is who, and what they tell each other.

    torchrun --nproc-per-node 4 -m lethe capture ...

Every process holds the whole network and data set. The first one alone opens the run's folder for
writing; the others read its checkpoints. Outside a group each function does what one process needs
and costs nothing. Gradients travel as one flat tensor, since the buckets of torch's
DistributedDataParallel are laid out anew after the first step: a resumed run would sum in another
order and not be exact.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lethe.errors import LetheError
from lethe.traces.commits import first_difference

Value = TypeVar("Value")


def in_group() -> bool:
    """Whether this process belongs to a group."""
    return dist.is_available() and dist.is_initialized()


def size() -> int:
    """How many processes carry the run: 1 outside a group."""
    return dist.get_world_size() if in_group() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if in_group() else 0


def launched() -> bool:
    """Whether torchrun started this process."""
    return dist.is_available() and dist.is_torchelastic_launched()


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Belong to torchrun's group: nccl between graphics cards, gloo between processors.

    Does nothing without torchrun, or in a group that is joined already.
    """
    if in_group() or not launched():
        yield
        return
    end_with_launcher()
    on_gpu = device != "cpu" and torch.cuda.is_available()
    dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo")
    yield
    dist.destroy_process_group()  # not after an error: it would wait for those who are gone


def end_with_launcher() -> None:
    """Let this process die when torchrun is killed: it would hold the lock of the run."""
    launcher = os.getppid()

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def own_device(device: str) -> str:
    """The device of this process: in a group, the graphics card of its number on its machine.

    LetheError when the machine has fewer cards than processes, or a card is named.
    """
    if not in_group() or device == "cpu" or not torch.cuda.is_available():
        return device
    if device not in ("auto", "cuda"):
        raise LetheError(f"torchrun gives every process a card of its own: use cuda, not {device}")
    local, cards = dist.get_node_local_rank(fallback_rank=0), torch.cuda.device_count()
    if local >= cards:
        raise LetheError(
            f"process {local} has no graphics card, this machine has {cards}: "
            f"use torchrun --nproc-per-node {cards}"
        )
    torch.cuda.set_device(local)
    return f"cuda:{local}"


def share(value: Value) -> Value:
    """What the first process has, on every process."""
    if size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def first(work: Callable[[], Value]) -> Value | None:
    """The result of `work()` on the first process, None on the others, who wait for it.

    Its LetheError is raised on every process.
    """
    if size() == 1:
        return work()
    result, problem = None, None
    try:
        result = None if rank() else work()
    except LetheError as error:
        problem = error
    problem = share(problem)
    if problem:
        raise problem
    return result


def check_equal(values: dict[str, Any], what: str) -> None:
    """LetheError naming the first process and entry that differ from the first process."""
    everyone: list[Any] = [values] * size()
    if size() > 1:
        dist.all_gather_object(everyone, values)
    for number, other in enumerate(everyone):
        difference = first_difference(everyone[0], other, what)
        if difference:
            raise LetheError(f"process {number} and process 0 have parted: {difference}")


def own_rows(count: int) -> slice:
    """This process's rows of a batch; two shares differ by one row at most."""
    return slice(count * rank() // size(), count * (rank() + 1) // size())


def own_turns() -> slice:
    """This process's turns, where whole batches are dealt out one by one."""
    return slice(rank(), None, size())


def total(tensor: Tensor) -> Tensor:
    """The sum over all processes, in place; bit for bit the same on each."""
    if size() > 1:
        dist.all_reduce(tensor)
    return tensor


def sum_gradients(model: nn.Module) -> None:
    """Sum every gradient over the processes; one without a gradient adds nothing."""
    if size() == 1:
        return
    tensors = [parameter for parameter in model.parameters() if parameter.requires_grad]
    flat = torch.cat(
        [(torch.zeros_like(t) if t.grad is None else t.grad).flatten() for t in tensors]
    )
    for tensor, summed in zip(tensors, total(flat).split([t.numel() for t in tensors])):
        tensor.grad = torch.empty_like(tensor).copy_(summed.view(tensor.shape))
