"""What forks cost beside the plain way, and the statistics over seeds beside scipy's.

Fork: the same arms, steps and looks once by `deepcopy` of the whole training, as one would write
it, without a checksum or a check, and once by `fork`. Both give the same predictions; that is
asserted first. Tests: all sign flips of 10 seeds against `scipy.stats.permutation_test`. Run by
hand: `python benchmarks/interventions.py`; 2 minutes on one core.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.stats import permutation_test

from lethe.analysis import paired_effects
from lethe.capture import interventions as iv
from lethe.capture import models
from lethe.capture.augment import normalise
from lethe.capture.interventions import readout
from lethe.experiments import memory

HORIZONS, ROUNDS = (0, 1, 2, 5, 10, 20, 50), 3


def started(process: str) -> tuple[iv.FineTuning, torch.Tensor]:
    """A process of the study after 20 steps, and its probe."""
    task = {"process": process, "seed": 2000, "last": HORIZONS[-1]}
    recipe = memory.recipe_of(task)
    data = memory.data_of(process, recipe.pixels)
    training = memory.build(task, data, 2000)
    for batch in range(20):
        training.take_step(batch)
    return training, normalise(data.probe["test"].images, recipe)


def by_copies(
    training: iv.FineTuning, interventions: list[iv.Intervention], probe: torch.Tensor
) -> dict[str, list[np.ndarray]]:
    """The plain way: a deep copy of the training for every arm."""
    said: dict[str, list[np.ndarray]] = {}
    for one in [iv.Intervention("carry"), *interventions]:
        arm = copy.deepcopy(training)
        if one.act:
            one.act(arm)
        coming = np.arange(arm.step, arm.step + HORIZONS[-1])
        batches = one.reorder(coming) if one.reorder else coming
        said[one.name] = [readout.probabilities(arm.model, probe)]
        for horizon, batch in enumerate(batches, start=1):
            arm.take_step(int(batch))
            if horizon in HORIZONS:
                said[one.name].append(readout.probabilities(arm.model, probe))
    return said


def seconds(work: Callable[[], object]) -> float:
    """The shortest of several rounds."""
    found = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return min(found)


def fork_cost(process: str) -> None:
    """Print seconds an arm both ways, and their ratio."""
    training, probe = started(process)
    reset = iv.reset_momentum() if "sgd" in process else iv.reset_adam()
    chosen = [reset, iv.swap_windows(10)]
    plain = by_copies(training, chosen, probe)
    forked = iv.fork(training, chosen, probe, HORIZONS)
    for name, said in plain.items():
        assert np.array_equal(np.stack(said), forked.arms[name].probabilities()), name
    copies = seconds(lambda: by_copies(training, chosen, probe)) / 3  # arms
    checked = seconds(lambda: iv.fork(training, chosen, probe, HORIZONS)) / 5  # and rerun, placebo
    print(
        f"{process:12} an arm of {HORIZONS[-1]} steps and {len(HORIZONS)} looks: "
        f"by deepcopy {copies:.2f} s, by fork with all checks {checked:.2f} s, "
        f"ratio {checked / copies:.2f}; predictions equal"
    )


def sign_flip_cost() -> None:
    """Print the time of all sign flips beside scipy's."""
    values = np.random.default_rng(0).normal(0.01, 0.01, 10)
    exact = {"permutation_type": "samples", "n_resamples": np.inf}
    theirs = permutation_test((values,), np.mean, vectorized=True, **exact).pvalue
    ours = paired_effects.sign_flip_p(values)
    assert abs(ours - theirs) < 1e-12
    both = (
        seconds(lambda: paired_effects.sign_flip_p(values)),
        seconds(lambda: permutation_test((values,), np.mean, vectorized=True, **exact)),
    )
    print(
        f"sign flips of 10 seeds: ours {1e3 * both[0]:.2f} ms, scipy {1e3 * both[1]:.2f} ms, "
        f"ratio {both[1] / both[0]:.0f}; p equal"
    )


def main() -> None:
    """Both networks of the study, then the test."""
    torch.set_num_threads(1)
    models.pick_device("cpu")
    for process in ("resnet sgd", "vit adamw"):
        fork_cost(process)
    sign_flip_cost()


if __name__ == "__main__":
    main()
