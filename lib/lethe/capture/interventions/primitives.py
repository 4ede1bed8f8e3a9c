"""Single changes of a training state, each with what it may touch and what must hold afterwards.

An `Intervention` acts on the state (`act`), on the order of the coming batches (`reorder`), or on
neither. `touches` names the sections of the state that it may change; everything else must keep its
checksum. `passive`: what it touches feeds nothing else, so all other sections must stay those of
the untouched arm for good, but for `followers` that copy it. No intervention draws a random number.
Cost: a pass over the tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from lethe.capture.interventions import snapshot
from lethe.capture.interventions.process import Training
from lethe.errors import LetheError, nearest

BatchNorm = nn.modules.batchnorm._BatchNorm
Act = Callable[[Training], None]
Reorder = Callable[[np.ndarray], np.ndarray]
MOMENTS = {"m": ("exp_avg",), "v": ("exp_avg_sq", "max_exp_avg_sq")}
MOMENTS["full"] = (*MOMENTS["m"], *MOMENTS["v"], "step")


@dataclass(frozen=True)
class Intervention:
    """One change at the fork."""

    name: str
    act: Act | None = None
    touches: frozenset[str] = frozenset()
    reorder: Reorder | None = None
    passive: bool = False
    followers: frozenset[str] = frozenset()  # sections that take over what was touched
    asks: tuple[str, ...] = ("model",)  # readouts that its effect is seen in
    # what must hold afterwards, by name: see `invariants.CLOSED_FORMS`
    closed_form: str = ""
    settings: dict[str, float] = field(default_factory=dict)
    destructive: bool = False  # not a reset that anybody would use; no lifetime is given


def carry() -> Intervention:
    """Nothing changes: the arm that all others are compared with."""
    return Intervention("carry", asks=("model", "recalibrated", "teacher"))


def rerun() -> Intervention:
    """Nothing changes, again: its distance from `carry` is the floor."""
    return Intervention("rerun", closed_form="identical")


def reset_momentum() -> Intervention:
    """Zero the momentum buffers of SGD."""

    def act(training: Training) -> None:
        zero(training, ("momentum_buffer",), "momentum: give SGD(momentum=...) above 0")

    touched = frozenset({"optimizer"})
    return Intervention("momentum reset", act, touched, closed_form="first step")


def reset_adam(part: str = "full") -> Intervention:
    """Zero moments of Adam or AdamW: `m`, the first; `full`, both with the step counter; `v`, the
    second alone, which makes the next step enormous and is marked as destructive.
    """
    if part not in MOMENTS:
        raise LetheError(f"unknown part of Adam's state {part!r}: {nearest(part, MOMENTS)}")

    def act(training: Training) -> None:
        zero(training, MOMENTS[part], "moments of Adam: this needs Adam or AdamW")

    touched = frozenset({"optimizer"})
    return Intervention(f"Adam reset, {part}", act, touched, destructive=part == "v")


@torch.no_grad()
def zero(training: Training, names: Sequence[str], needs: str) -> None:
    """Zero entries of the optimizer's state; LetheError if it has none of them."""
    found = 0
    for state in training.optimizer.state.values():
        for name in names:
            if state.get(name) is not None:
                found += 1
                state[name] = zeroed(state[name])
    if not found:
        kind = type(training.optimizer).__name__
        raise LetheError(f"{kind} at step {training.step} keeps no {needs}, and some steps")


def zeroed(value: Tensor | int) -> Tensor | int:
    """The same entry at 0, in place where it is a tensor."""
    return value.zero_() if isinstance(value, Tensor) else 0


def reset_teacher(decay: float | None = None) -> Intervention:
    """Make the average of the weights (`others["teacher"]`) equal to the weights.

    With its `decay` a step, d, the gap to the arm that carries must shrink as d^h. For a teacher
    that nothing learns from; one that does feed back fails the run.
    """
    return Intervention(
        "teacher reset",
        copy_to_teacher,
        frozenset({"teacher"}),
        passive=True,
        asks=("teacher",),
        closed_form="" if decay is None else "teacher",
        settings={} if decay is None else {"decay": decay},
    )


@torch.no_grad()
def copy_to_teacher(training: Training) -> None:
    """The model's parameters into the teacher, matched in order."""
    teacher = part_of(training, "teacher")
    pairs = zip(teacher.parameters(), training.model.parameters(), strict=True)
    for average, weight in pairs:
        average.copy_(weight)


def part_of(training: Training, name: str) -> nn.Module:
    """A module among the other parts of the state; LetheError if it is not there."""
    if name not in training.others:
        there = ", ".join(training.others) or "none"
        raise LetheError(f"this training has no {name!r} among its other parts (there: {there})")
    part: Any = training.others[name]
    return part


def norms(training: Training) -> list[tuple[str, BatchNorm]]:
    """BatchNorm layers that keep running statistics; LetheError if there is none."""
    found = [
        (name, module)
        for name, module in training.model.named_modules()
        if isinstance(module, BatchNorm) and module.track_running_stats
    ]
    if not found:
        raise LetheError("this model has no BatchNorm layer with running statistics to reset")
    return found


BATCH_NORM: dict[str, Any] = {
    "touches": frozenset({"buffers"}),
    "passive": True,
    "followers": frozenset({"teacher"}),
    "closed_form": "batch norm",
}


def reset_batch_norm() -> Intervention:
    """Put all running statistics back to mean 0, variance 1."""

    def act(training: Training) -> None:
        for _, module in norms(training):
            module.reset_running_stats()

    return Intervention("BatchNorm reset", act, **BATCH_NORM)


def recalibrate_batch_norm(images: Iterable[Tensor]) -> Intervention:
    """Estimate the running statistics anew, as plain averages over batches of training images."""
    batches = list(images)

    def act(training: Training) -> None:
        norms(training)
        recalibrate(training.model, batches)

    return Intervention("BatchNorm recalibrated", act, **BATCH_NORM)


def recalibrate(model: nn.Module, batches: Sequence[Tensor]) -> None:
    """torch's `update_bn`, without a trace in the generators or in the mode of any module."""
    modes = {module: module.training for module in model.modules()}
    devices = {b.device for b in batches if b.is_cuda}
    with torch.random.fork_rng(devices=list(devices)):
        update_bn(batches, model)
    for module, mode in modes.items():
        module.training = mode


def swap_windows(width: int, first: int = 0, second: int | None = None) -> Intervention:
    """Exchange the batches [first, first + width) and [second, second + width), counted from the
    fork; the second window follows the first one if not given.

    LetheError for windows that overlap or are empty.
    """
    second = first + width if second is None else second
    low, high = sorted((first, second))
    if width < 1 or low < 0 or high < low + width:
        raise LetheError(
            f"windows of {width} batches from {first} and from {second} cannot be exchanged: they "
            f"must hold a batch, lie after the fork and not overlap (the second from {low + width})"
        )

    def reorder(batches: np.ndarray) -> np.ndarray:
        if high + width > len(batches):
            raise LetheError(
                f"the windows end at batch {high + width} after the fork, the longest horizon "
                f"is {len(batches)}: choose smaller windows or a longer horizon"
            )
        order = batches.copy()
        order[low : low + width] = batches[high : high + width]
        order[high : high + width] = batches[low : low + width]
        return order

    shown = ("model", "recalibrated")
    return Intervention(
        f"order swap, {width}", reorder=reorder, closed_form="same batches", asks=shown
    )


def other_future(shift: int) -> Intervention:
    """Take the batches `shift` further on in the stream: other orders, other augmentations."""
    if shift < 1:
        raise LetheError(f"another future begins 1 batch later or more, not {shift}")
    shown = ("model", "recalibrated", "teacher")
    return Intervention("other future", reorder=lambda batches: batches + shift, asks=shown)


def flush_queue() -> Intervention:
    """Zero every stored row of the queue: a negative of zeros has similarity 0 with everything."""
    return Intervention("queue flush", lambda t: change_queue(t, torch.zeros_like), QUEUE)


def age_queue() -> Intervention:
    """Turn the queue around, so that the newest rows are thrown out first."""
    return Intervention("queue turned", lambda t: change_queue(t, lambda rows: rows.flip(0)), QUEUE)


QUEUE = frozenset({"queue"})


@torch.no_grad()
def change_queue(training: Training, change: Callable[[Tensor], Tensor]) -> None:
    """Change the stored rows, the buffers of the queue with two dimensions [place, feature]."""
    rows = [tensor for tensor in part_of(training, "queue").buffers() if tensor.ndim == 2]
    if not rows:
        raise LetheError("the queue keeps no buffer [place, feature]: store its rows as one")
    for tensor in rows:
        tensor.copy_(change(tensor))


def together(*interventions: Intervention) -> Intervention:
    """Several changes in one arm, for their interaction; single effects must not be added up.

    LetheError for two that reorder.
    """
    reorders = [i.reorder for i in interventions if i.reorder]
    if len(reorders) > 1:
        raise LetheError("one arm can reorder the batches once")

    def act(training: Training) -> None:
        for intervention in interventions:
            if intervention.act:
                intervention.act(training)

    return Intervention(
        " + ".join(i.name for i in interventions),
        act,
        frozenset().union(*(i.touches for i in interventions)),
        reorders[0] if reorders else None,
        closed_form="same batches" if reorders else "",
        asks=tuple(sorted({name for i in interventions for name in i.asks})),
    )


def placebo(interventions: Sequence[Intervention]) -> Intervention:
    """Do all of these and put the state back: must be as if nothing had happened."""

    def act(training: Training) -> None:
        before = snapshot.take(training)
        for intervention in interventions:
            if intervention.act:
                intervention.act(training)
        snapshot.restore(training, before)

    return Intervention("placebo", act, closed_form="identical")
