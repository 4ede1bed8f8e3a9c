"""Checkpoints and hashes of a training state: weights, buffers and optimizer, without pickle.

A checkpoint is one safetensors file with `model.NAME` and `optimizer.INDEX.NAME` tensors, written
at an epoch's end to a temporary name, synced and renamed. The random streams need no saving: they
are pure functions of the epoch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.optim import Optimizer

from lethe.errors import LetheError
from lethe.traces.files import discard, write_atomically


def checkpoint_file(folder: Path, epoch: int) -> Path:
    """Where an epoch's checkpoint lies."""
    return folder / f"checkpoint-{epoch:04d}.safetensors"


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimizer's state by `INDEX.NAME`, sorted: a loaded state comes in another order."""
    states = optimizer.state_dict()["state"]
    pairs = {
        f"{index}.{name}": value for index, state in states.items() for name, value in state.items()
    }
    return dict(sorted(pairs.items()))


def write_tensors(
    tensors: dict[str, Tensor], file: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file so that it exists whole or not at all.

    As bytes: safetensors' own `save_file` leaves a temporary file of a random name when killed, and
    files that only their owner can read.
    """
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_atomically(file, save(plain, metadata))


def save_checkpoint(folder: Path, epoch: int, model: nn.Module, optimizer: Optimizer) -> None:
    """Write the state at the end of an epoch."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"optimizer.{name}": value for name, value in optimizer_tensors(optimizer).items()}
    write_tensors(tensors, checkpoint_file(folder, epoch))


def load_checkpoint(folder: Path, epoch: int, model: nn.Module, optimizer: Optimizer) -> None:
    """Put model and optimizer into the state they had at the end of an epoch."""
    file = checkpoint_file(folder, epoch)
    if not file.is_file():
        raise LetheError(
            f"{file} is missing: the run cannot go on from epoch {epoch}; "
            f"remove {folder} to start over"
        )
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise LetheError(
            f"{file} cannot be read ({error}): copy it again, or remove {folder} to start over"
        ) from None
    model.load_state_dict(
        {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
    )
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, entry = name.split(".", 2)
            state.setdefault(int(index), {})[entry] = laid_out(tensor, parameters[int(index)])
    optimizer.load_state_dict(
        {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
    )


def laid_out(tensor: Tensor, parameter: Tensor) -> Tensor:
    """A loaded moment in its parameter's memory layout: the fused optimizer walks raw memory."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)


def newest_checkpoint(folder: Path, latest: int) -> int | None:
    """The newest epoch up to `latest` that has a checkpoint; None if no such epoch has."""
    epochs = [int(file.stem.split("-")[1]) for file in folder.glob("checkpoint-*.safetensors")]
    return max((epoch for epoch in epochs if epoch <= latest), default=None)


def drop_checkpoints(folder: Path, keep: int | None) -> None:
    """Remove all checkpoints but that of epoch `keep`; with None all of them."""
    for file in folder.glob("checkpoint-*.safetensors"):
        if keep is None or file != checkpoint_file(folder, keep):
            discard(file)


def digest(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """First 16 hex digits of the sha256 over names and bytes, in the order given."""
    total = hashlib.sha256()
    for name, tensor in tensors:
        total.update(name.encode())
        total.update(
            tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        )
    return total.hexdigest()[:16]
