"""The full state of a training process: taken, put back, and checked by checksum.

Sections: `weights`, `buffers` (BatchNorm statistics among them), `optimizer`, one for each of
`others`, `clock`, `modes` (train or eval, of every module) and `random` (the states of all global
generators of Python, NumPy and torch; the streams of Lethe have none, they are pure functions).
Checksum: SHA-256 over path, dtype, shape and bytes of every tensor in the order of sorted paths;
numbers as JSON. Gradients are not state: they are dropped when a state is put back. Cost: a copy,
and one hash of it a look, about 1 ms a megabyte.
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from lethe.capture.interventions.process import Training
from lethe.errors import LetheError

Snapshot = dict[str, Any]


def sections(training: Training) -> Snapshot:
    """The state by section, not copied."""
    clash = {"weights", "buffers", "optimizer", "clock", "modes", "random"} & set(training.others)
    if clash:
        raise LetheError(f"a part of the state is called {clash.pop()!r}: that name is taken")
    return {
        "weights": dict(training.model.named_parameters()),
        "buffers": dict(training.model.named_buffers()),
        "optimizer": training.optimizer.state_dict(),
        **{name: part.state_dict() for name, part in training.others.items()},
        "clock": training.step,
        "modes": {name: module.training for name, module in training.model.named_modules()},
        "random": random_states(),
    }


def random_states() -> dict[str, Any]:
    """The states of the global generators."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    numpy_state = np.random.get_state(legacy=False)
    return {
        "python": random.getstate(),
        "numpy": numpy_state,
        "torch": torch.get_rng_state(),
        "cuda": cuda,
    }


@torch.no_grad()
def take(training: Training) -> Snapshot:
    """A copy of the full state."""
    state = sections(training)
    for name in ("weights", "buffers"):
        state[name] = {key: value.detach().clone() for key, value in state[name].items()}
    return copy.deepcopy(state)


@torch.no_grad()
def restore(training: Training, state: Snapshot) -> None:
    """Put a state back, in place; LetheError if the process is not in it afterwards."""
    for name in ("weights", "buffers"):
        for key, tensor in sections(training)[name].items():
            tensor.copy_(state[name][key])
    training.model.zero_grad(set_to_none=True)
    training.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
    for name, part in training.others.items():
        part.load_state_dict(copy.deepcopy(state[name]))
    training.step = state["clock"]
    for name, module in training.model.named_modules():
        module.training = state["modes"][name]
    restore_random(state["random"])
    found, wanted = checksums(training), checksums_of(state)
    different = [name for name in wanted if found[name] != wanted[name]]
    if different:
        raise LetheError(
            f"the state that was put back differs in {different[0]!r}: its load_state_dict must "
            "undo everything that state_dict shows"
        )


def restore_random(states: dict[str, Any]) -> None:
    """Put the global generators back."""
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    if states["cuda"]:
        torch.cuda.set_rng_state_all(states["cuda"])


def checksums(training: Training) -> dict[str, str]:
    """The checksum of every section of the present state: 16 hex digits each."""
    return checksums_of(sections(training))


def checksums_of(state: Snapshot) -> dict[str, str]:
    """The checksum of every section of a state."""
    return {name: checksum(part) for name, part in state.items()}


def checksum(part: Any) -> str:
    """First 16 hex digits of the SHA-256 of a nested state."""
    total = hashlib.sha256()
    for path, value in sorted(leaves(part), key=lambda leaf: leaf[0]):
        total.update(path.encode())
        if isinstance(value, np.ndarray | torch.Tensor):
            array = torch.as_tensor(value).detach().cpu().contiguous()
            total.update(f"{array.dtype}{tuple(array.shape)}".encode())
            total.update(array.view(-1).view(torch.uint8).numpy().tobytes())
        else:
            total.update(json.dumps(value, default=repr).encode())
    return total.hexdigest()[:16]


def leaves(part: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every number, text and tensor of a nested state, with its path."""
    if isinstance(part, dict):
        for name, value in part.items():
            yield from leaves(value, f"{path}/{name}")
    elif isinstance(part, list | tuple):
        for place, value in enumerate(part):
            yield from leaves(value, f"{path}/{place:06d}")
    else:
        yield path, part
