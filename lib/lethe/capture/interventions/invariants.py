"""What must hold between an arm and `carry`, by construction; a violation fails the run.

- every arm but those that reorder takes the same samples with the same draws, and leaves the random
  generators alike at every horizon;
- `identical` (rerun, placebo): every checksum and every probability equal at every horizon. Asked
  of a CPU, and of a GPU with deterministic algorithms; else the distance is the rerun floor;
- passive changes: every section but the touched one equal at every horizon;
- `batch norm`: with batch statistics in training, the gap of the running statistics is
  (1 - m)^h of what it was at the fork; with frozen layers it stays, and the weights may part;
- `teacher`: the gap of the average is d^h of what it was;
- `first step`: after one step of SGD the reset weights are ahead by rate x momentum x buffer;
- `same batches`: an order swap changes the order, not the multiset.

Cost: a copy of the running statistics and the teacher a look, of the weights up to 10 steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from lethe.capture.interventions.process import Training
from lethe.errors import LetheError

if TYPE_CHECKING:
    from lethe.capture.interventions.fork import Arm

TOLERANCE = 1e-5  # of the scale of what is compared: single precision, many steps
SHORT = 10  # steps up to which the weights are kept for the first-order prediction


class InvariantError(LetheError):
    """An invariant of the protocol does not hold: the numbers of this run mean nothing."""


@torch.no_grad()
def keep(training: Training, horizon: int) -> dict[str, Tensor]:
    """The tensors that the closed forms need, as flat copies; weights at short horizons only."""
    model, teacher = training.model, training.others.get("teacher")
    kept = {"batch norm": flat(b for name, b in model.named_buffers() if "running_" in name)}
    if isinstance(teacher, nn.Module):
        kept["teacher"] = flat(teacher.parameters())
    if horizon <= SHORT:
        kept["weights"] = flat(model.parameters())
        states = [training.optimizer.state.get(p, {}) for p in model.parameters()]
        buffers = [state.get("momentum_buffer") for state in states]
        if all(buffer is not None for buffer in buffers):
            kept["momentum"] = flat(buffers)
    return kept


def flat(tensors: Any) -> Tensor:
    """Tensors as one vector on the host."""
    return torch.cat([torch.empty(0), *(t.detach().reshape(-1).to("cpu") for t in tensors)])


def check_against(carry: Arm, arm: Arm, horizons: Sequence[int], training: Training) -> None:
    """Check an arm against `carry`; every invariant that holds is noted in the arm.

    Raises InvariantError for the first that does not.
    """
    found = [same_random(carry, arm), same_clock(carry, arm)]
    if not arm.intervention.reorder:
        found.append(same_samples(carry, arm))
    if arm.intervention.passive and not frozen(carry, arm):
        found.append(passive(carry, arm))
    if arm.intervention.closed_form:
        found += CLOSED_FORMS[arm.intervention.closed_form](carry, arm, horizons, training)
    for name, holds, detail in found:
        if not holds:
            raise InvariantError(f"{arm.intervention.name}: {name} does not hold ({detail})")
        arm.held.append({"invariant": name, "holds": True, "detail": detail})


Found = tuple[str, bool, str]


def differing(carry: Arm, arm: Arm, names: Sequence[str]) -> str:
    """The first section and look in which two arms differ; empty if there is none."""
    pairs = zip(carry.checksums, arm.checksums, strict=True)
    for place, (one, other) in enumerate(pairs):
        for name in names:
            if one[name] != other[name]:
                return f"{name} differs at look {place}"
    return ""


def same_random(carry: Arm, arm: Arm) -> Found:
    """The global generators are alike at every horizon."""
    told = differing(carry, arm, ["random"])
    return "same random states", not told, told or "at every horizon"


def same_clock(carry: Arm, arm: Arm) -> Found:
    """Clock and learning rates are alike."""
    told = differing(carry, arm, ["clock"]) or ("" if carry.rates == arm.rates else "rates differ")
    return "same clock and rates", not told, told or "at every step"


def same_samples(carry: Arm, arm: Arm) -> Found:
    """The same samples in the same order, under the same draws."""
    same = (carry.orders, carry.draws) == (arm.orders, arm.draws)
    return "same samples, order and draws", same, f"order {arm.orders[-1]}, draws {arm.draws}"


def passive(carry: Arm, arm: Arm) -> Found:
    """All but the touched sections and what follows them stay those of `carry`; a teacher that
    follows may differ in its running statistics, not in its weights.
    """
    loose = arm.intervention.touches | arm.intervention.followers
    told = differing(carry, arm, [name for name in carry.checksums[0] if name not in loose])
    if "teacher" in arm.intervention.followers:
        pairs = zip(carry.kept, arm.kept, strict=True)
        same = all(torch.equal(a["teacher"], b["teacher"]) for a, b in pairs if "teacher" in a)
        told = told or ("" if same else "the teacher's weights differ")
    return "nothing else changes", not told, told or "all other checksums equal"


def frozen(carry: Arm, arm: Arm) -> bool:
    """Whether BatchNorm layers trained with frozen statistics: those of `carry` never move."""
    if arm.intervention.closed_form != "batch norm":
        return False
    first, last = carry.kept[0]["batch norm"], carry.kept[-1]["batch norm"]
    return len(carry.rates) > 0 and torch.equal(first, last)


def identical(carry: Arm, arm: Arm, horizons: Sequence[int], training: Training) -> list[Found]:
    """Equal checksums and probabilities at every horizon, where arithmetic is exact."""
    told = differing(carry, arm, list(carry.checksums[0]))
    floor = max(
        float(np.abs(a - b).max())
        for name in arm.said
        for a, b in zip(carry.said[name], arm.said[name], strict=True)
    )
    device = next(training.model.parameters()).device
    exact = device.type == "cpu" or torch.are_deterministic_algorithms_enabled()
    holds = (not told and floor == 0) or not exact
    told = told or f"largest difference of a probability {floor:g}"
    return [("bit for bit the same", holds, told)]


def decays(name: str, gaps: Sequence[Tensor], factors: np.ndarray, scale: float) -> Found:
    """Gaps [horizon] are the first one times the factors, within rounding of `scale`."""
    pairs = zip(gaps, factors, strict=True)
    worst = max(float((gap - f * gaps[0] / factors[0]).abs().max()) for gap, f in pairs)
    allowed = TOLERANCE * max(scale, float(gaps[0].abs().max()))
    return name, worst <= allowed, f"largest departure {worst:.2g}, allowed {allowed:.2g}"


def batch_norm(carry: Arm, arm: Arm, horizons: Sequence[int], training: Training) -> list[Found]:
    """The gap of the running statistics is (1 - m)^h of the first, or constant if frozen."""
    layers = [m for m in training.model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    rates = {layer.momentum for layer in layers if layer.track_running_stats}
    rate = rates.pop() if len(rates) == 1 else None
    if rate is None:
        return []  # cumulative averages, or a rate for every layer: no one closed form
    kept = 1.0 if frozen(carry, arm) else 1 - rate
    gaps = [b["batch norm"] - a["batch norm"] for a, b in zip(carry.kept, arm.kept, strict=True)]
    scale = float(max(k["batch norm"].abs().max() for k in (*carry.kept, *arm.kept)))
    name = f"gap of the running statistics is {kept:g}^h"
    return [decays(name, gaps, kept ** np.array(horizons, float), scale)]


def teacher(carry: Arm, arm: Arm, horizons: Sequence[int], training: Training) -> list[Found]:
    """The gap of the average of the weights is d^h of the first."""
    decay = arm.intervention.settings["decay"]
    gaps = [b["teacher"] - a["teacher"] for a, b in zip(carry.kept, arm.kept, strict=True)]
    scale = float(max(k["teacher"].abs().max() for k in carry.kept))
    factors = decay ** np.array(horizons, float)
    return [decays(f"gap of the teacher is {decay:g}^h", gaps, factors, scale)]


def first_step(carry: Arm, arm: Arm, horizons: Sequence[int], training: Training) -> list[Found]:
    """One step after the fork the reset weights are ahead by rate x momentum x buffer, exactly but
    for rounding. Needs horizons 0 and 1.
    """
    if not {0, 1} <= set(horizons):
        return []
    places = {h: k for k, h in enumerate(horizons)}
    gap = arm.kept[places[1]]["weights"] - carry.kept[places[1]]["weights"]
    expected = ahead(carry, 1, training)
    worst, size = float((gap - expected).abs().max()), float(expected.abs().max())
    allowed = TOLERANCE * float(carry.kept[places[0]]["weights"].abs().max())
    detail = f"largest departure {worst:.2g} of {size:.2g}, allowed {allowed:.2g}"
    return [("first step is rate x momentum x buffer", worst <= allowed, detail)]


def ahead(carry: Arm, horizon: int, training: Training) -> Tensor:
    """By how much a momentum reset puts the weights ahead after `horizon` steps, to first order:
    the sum over steps k of rate x momentum^k, times the buffer at the fork.

    With Nesterov's step one power more. LetheError where groups differ in their momentum.
    """
    groups = {(g["momentum"], g["nesterov"]) for g in training.optimizer.param_groups}
    if len(groups) > 1:
        raise LetheError("the first-order prediction needs one momentum for all parameters")
    momentum, nesterov = groups.pop()
    powers = momentum ** (np.arange(1, horizon + 1) + int(nesterov))
    return float(np.dot(carry.rates[:horizon], powers)) * carry.kept[0]["momentum"]


def gaps(
    carry: Arm, arm: Arm, horizons: Sequence[int], training: Training
) -> dict[str, list[float]]:
    """How far the tensors of an arm are from those of `carry`: largest gap of `batch norm` and
    `teacher` at every horizon, length of that of `weights` up to 10 steps; for a momentum reset
    also its cosine with the first-order prediction, and their ratio of lengths.
    """
    told: dict[str, list[float]] = {}
    for horizon, one, other in zip(horizons, carry.kept, arm.kept, strict=True):
        for name in ("batch norm", "teacher"):
            if name in one and len(one[name]):
                told.setdefault(name, []).append(float((other[name] - one[name]).abs().max()))
        if "weights" in one:
            gap = other["weights"] - one["weights"]
            told.setdefault("weights", []).append(float(gap.norm()))
            if arm.intervention.closed_form == "first step" and horizon and horizons[0] == 0:
                expected = ahead(carry, horizon, training)
                cosine = float(gap @ expected / (gap.norm() * expected.norm()))
                told.setdefault("cosine", []).append(cosine)
                told.setdefault("ratio", []).append(float(gap.norm() / expected.norm()))
    return told


def same_batches(carry: Arm, arm: Arm, horizons: Sequence[int], training: Training) -> list[Found]:
    """Another order of the same multiset, under the same draws."""
    same = (carry.multisets[-1], carry.draws) == (arm.multisets[-1], arm.draws)
    moved = carry.orders[-1] != arm.orders[-1]
    return [
        ("same multiset of samples and draws", same, f"multiset {arm.multisets[-1]}"),
        ("another order", moved, f"order {arm.orders[-1]} for {carry.orders[-1]}"),
    ]


CLOSED_FORMS: dict[str, Callable[..., list[Found]]] = {
    "identical": identical,
    "batch norm": batch_norm,
    "teacher": teacher,
    "first step": first_step,
    "same batches": same_batches,
}
