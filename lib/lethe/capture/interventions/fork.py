"""Paired arms from one state: fork, change one thing, go on under the same future, look, compare.

All arms begin at the same snapshot and take the same batches by number (but for arms that reorder
them). At every horizon h, a number of steps after the fork, each readout's probabilities on the
probe are kept. Invariants are checked on the way, and a violation ends the run: see `invariants`.
Cost: arms x (longest horizon steps + horizons x (readouts + 3 hashes of the state)).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from lethe.capture.audit import hash_of
from lethe.capture.interventions import invariants, snapshot
from lethe.capture.interventions.primitives import Intervention, carry, placebo, rerun
from lethe.capture.interventions.process import Training
from lethe.capture.interventions.readout import Readout, model, probabilities
from lethe.errors import LetheError

HORIZONS = (0, 1, 2, 5, 10, 20, 50, 100, 200)


@dataclass
class Arm:
    """What one arm left: entry k of a list belongs to horizon k."""

    intervention: Intervention
    said: dict[str, list[np.ndarray]] = field(default_factory=dict)  # float32[n, class] by readout
    checksums: list[dict[str, str]] = field(default_factory=list)
    kept: list[dict[str, Tensor]] = field(default_factory=list)  # for the closed forms
    gaps: dict[str, list[float]] = field(default_factory=dict)  # see `invariants.gaps`
    orders: list[str] = field(default_factory=list)  # hash of all sample keys since the fork
    multisets: list[str] = field(default_factory=list)
    draws: str = ""  # hash of the augmentation draws of all steps, in the order of their samples
    rates: list[float] = field(default_factory=list)  # learning rate of every step
    held: list[dict[str, Any]] = field(default_factory=list)  # the invariants, one by one

    def probabilities(self, readout: str = "model") -> np.ndarray:
        """float32[horizon, n, class]."""
        return np.stack(self.said[readout])


@dataclass(frozen=True)
class Fork:
    """All arms from one state."""

    horizons: tuple[int, ...]
    step: int
    before: dict[str, str]  # checksums of the state at the fork
    arms: dict[str, Arm]


def fork(
    training: Training,
    interventions: Sequence[Intervention],
    probe: Tensor,
    horizons: Sequence[int] = HORIZONS,
    readouts: Mapping[str, Readout] | None = None,
) -> Fork:
    """Run `carry`, `rerun`, `placebo` and the interventions from the present state of a training.

    probe: images [n, c, h, w] as the network takes them, never trained on. The training is left in
    the state it came in. LetheError for horizons that are not increasing, from 0 on and inside the
    stream, for names used twice, and for a violated invariant.
    """
    horizons, readouts = checked(training, horizons), dict(readouts or {"model": model})
    planned = [carry(), rerun(), placebo(interventions), *interventions]
    names = [arm.name for arm in planned]
    if len(set(names)) < len(names):
        raise LetheError(f"two arms have one name: {sorted(names)}")
    start = snapshot.take(training)
    arms: dict[str, Arm] = {}
    try:
        for intervention in planned:
            snapshot.restore(training, start)
            arm = run_arm(training, intervention, probe, horizons, readouts)
            arms[intervention.name] = arm
            invariants.check_against(arms["carry"], arm, horizons, training)
            arm.gaps = invariants.gaps(arms["carry"], arm, horizons, training)
            arm.kept = arm.kept if arm is arms["carry"] else []
    finally:
        snapshot.restore(training, start)
    return Fork(horizons, training.step, snapshot.checksums_of(start), arms)


def checked(training: Training, horizons: Sequence[int]) -> tuple[int, ...]:
    """The horizons, if they make sense."""
    given = tuple(int(h) for h in horizons)
    if not given or given[0] < 0 or any(b <= a for a, b in itertools.pairwise(given)):
        raise LetheError(f"horizons must increase from 0 or more, not {given}")
    left = len(training) - training.step
    if given[-1] > left:
        raise LetheError(
            f"horizon {given[-1]} is past the end: after step {training.step} the stream has "
            f"{left} batches"
        )
    return given


def run_arm(
    training: Training,
    intervention: Intervention,
    probe: Tensor,
    horizons: Sequence[int],
    readouts: Mapping[str, Readout],
) -> Arm:
    """One arm from the present state: intervene, then steps and looks in turn."""
    arm = Arm(intervention)
    intervene(training, intervention)
    coming = np.arange(training.step, training.step + horizons[-1])
    batches = intervention.reorder(coming) if intervention.reorder else coming
    last = int(batches.max(initial=-1))
    if last >= len(training):
        raise LetheError(f"{intervention.name} needs batch {last}: the stream has {len(training)}")
    keys: list[np.ndarray] = []
    draws: list[np.ndarray] = []
    for horizon in range(horizons[-1] + 1):
        if horizon:
            step(training, int(batches[horizon - 1]), arm, keys, draws)
        if horizon in horizons:
            look(training, arm, probe, readouts)
            arm.kept.append(invariants.keep(training, horizon))
            arm.orders.append(hash_of(joined(keys)))
            arm.multisets.append(hash_of(np.sort(joined(keys))))
    if draws:
        every = np.concatenate(draws)
        arm.draws = hash_of(every[np.lexsort((*every.T[::-1], joined(keys)))].astype("<f4"))
    return arm


def joined(keys: list[np.ndarray]) -> np.ndarray:
    """All keys in the order in which they were taken, as 8-byte little-endian integers."""
    return np.concatenate([np.empty(0, "<u8"), *(np.asarray(k).astype("<u8") for k in keys)])


def step(
    training: Training, batch: int, arm: Arm, keys: list[np.ndarray], draws: list[np.ndarray]
) -> None:
    """One step, with what it consumed and at which rate."""
    arm.rates.append(float(training.optimizer.param_groups[0]["lr"]))
    taken = training.take_step(batch)
    keys.append(taken.keys)
    if taken.draws is not None:
        draws.append(taken.draws)


def intervene(training: Training, intervention: Intervention) -> None:
    """Carry out the change; LetheError if it touches what it may not, or nothing that it should."""
    if not intervention.act:
        return
    before = snapshot.checksums(training)
    intervention.act(training)
    after = snapshot.checksums(training)
    changed = {name for name in before if before[name] != after[name]}
    if changed - intervention.touches:
        what = sorted(changed - intervention.touches)[0]
        told = "drew random numbers" if what == "random" else f"changed {what!r}"
        may = ", ".join(sorted(intervention.touches)) or "nothing"
        raise invariants.InvariantError(f"{intervention.name} {told}; it may touch {may}")
    if intervention.touches - changed:
        what = sorted(intervention.touches)[0]
        raise LetheError(f"{intervention.name} changed nothing in {what!r}: it was so already")


def look(training: Training, arm: Arm, probe: Tensor, readouts: Mapping[str, Readout]) -> None:
    """Keep what every readout says and the checksums; a look that disturbs the state is an
    error.
    """
    sums = snapshot.checksums(training)
    for name, read in readouts.items():
        if name in arm.intervention.asks:
            arm.said.setdefault(name, []).append(probabilities(read(training), probe))
    after = snapshot.checksums(training)
    disturbed = [name for name in sums if sums[name] != after[name]]
    if disturbed:
        raise invariants.InvariantError(f"looking at the probe changed {disturbed[0]!r}")
    arm.checksums.append(sums)
