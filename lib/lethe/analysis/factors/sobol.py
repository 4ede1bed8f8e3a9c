"""Shares of a score's variance between runs, by source of randomness.

The score of a unit (a sample, a class) is a function of the independent draws of all sources. Its
variance over draws is V. *Total* T_j: the share that vanishes when every other source is held,
E[Var(Y | all but j)] / V. *First order* S_j: the share that source j explains alone,
Var(E[Y | j]) / V (Sobol 1993). With A = `base`, B = `other`, A_j = the run with j from B:

    V = E(A - B)^2 / 2    V T_j = E(A - A_j)^2 / 2 (Jansen 1999)
    V S_j = E (B - m)(A_j - A) (Saltelli et al. 2010), m = the unit's mean over the other blocks

Numerators and denominator are summed over units and blocks before dividing. m does not depend on
the block's draws, so it changes no expectation; it takes out what units differ by, and with it most
of the noise. S_j <= T_j; the S_j add up to 1 at most, the T_j to 1 at least.
Cost: 1 s for 12 blocks of 3,100 samples and 200 resamples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lethe.analysis import agreement
from lethe.analysis.agreement import Interval
from lethe.analysis.factors.design import CONTROLS, RUNS, SOURCES
from lethe.errors import LetheError

INTERACTION = "no source alone"


def centred(values: np.ndarray) -> np.ndarray:
    """Values [block, run, unit] less the unit's mean over the runs of the other blocks.

    NaN = unknown; a unit known in one block only has no such mean, and becomes NaN. LetheError for
    fewer than 2 blocks.
    """
    if len(values) < 2:
        raise LetheError(f"variances between runs need 2 blocks or more, not {len(values)}")
    of_block = values[:, : -len(CONTROLS)].mean(axis=1)  # the controls repeat `base`
    known = np.isfinite(of_block)
    total, count = np.where(known, of_block, 0).sum(axis=0), known.sum(axis=0)
    others = np.where(known & (count > 1), total - of_block, np.nan) / np.maximum(count - 1, 1)
    return values - others[:, None]


def by_class(values: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Means of the known units of every class: [block, run, unit] -> [block, run, class]."""
    blocks, runs, _ = values.shape
    means = agreement.class_means(values.reshape(blocks * runs, -1), label)
    return means.reshape(blocks, runs, -1)


def terms(centred_values: np.ndarray) -> dict[str, np.ndarray]:
    """What is summed over blocks and units, [block, unit] each: `V`; `T x` and `S x` by source, `T
    x` by control, `X x` = what a source adds to one flipped bit. Unknown units have 0.
    """
    run = {name: centred_values[:, place] for place, name in enumerate(RUNS)}
    found = {"V": np.square(run["base"] - run["other"]) / 2}
    for name in (*SOURCES, *CONTROLS):
        found[f"T {name}"] = np.square(run["base"] - run[name]) / 2
    for name in SOURCES:
        found[f"S {name}"] = run["other"] * (run[name] - run["base"])
        found[f"X {name}"] = found[f"T {name}"] - found["T bit"]
    found[f"S {INTERACTION}"] = found["V"] - sum(found[f"S {name}"] for name in SOURCES)
    return {name: np.nan_to_num(term) for name, term in found.items()}


def shares(
    centred_values: np.ndarray, rng: np.random.Generator, draws: int = 200
) -> dict[str, Interval]:
    """All T, S and X as shares of V, by the names of `terms`; intervals redraw blocks and units.

    LetheError for a score that no draw changes.
    """
    found = terms(centred_values)
    whole = found.pop("V")
    if not whole.sum() > 0:
        raise LetheError("the score is the same in all runs: there is no variance to share out")
    stack = np.stack(list(found.values()))

    def ratio(weights: Sequence[np.ndarray], units: np.ndarray) -> np.ndarray:
        return (stack @ units @ weights[0]) / (whole @ units @ weights[0])

    intervals = agreement.pigeonhole_bootstrap(ratio, whole.shape[:1], whole.shape[1], rng, draws)
    return dict(zip(found, intervals, strict=True))


def coherence(
    centred_values: np.ndarray, label: np.ndarray, rng: np.random.Generator, draws: int = 200
) -> dict[str, Interval]:
    """How far a pair's differences move whole classes: variance of class means over what it would
    be if the samples of a class moved independently; 1 = they do. By `V` and the `T` of `terms`.
    """
    single, whole = terms(centred_values), terms(by_class(centred_values, label))
    known = np.isfinite(centred_values[:, 0])
    size = np.stack([np.bincount(label, row, label.max() + 1) for row in known])
    names = [name for name in whole if name[0] in "VT" and whole[name].any()]
    expected = np.stack([_summed(single[name], label) / np.maximum(size, 1) ** 2 for name in names])
    moved = np.stack([whole[name] for name in names])

    def ratio(weights: Sequence[np.ndarray], classes: np.ndarray) -> np.ndarray:
        return (moved @ classes @ weights[0]) / (expected @ classes @ weights[0])

    found = agreement.pigeonhole_bootstrap(ratio, moved.shape[1:2], moved.shape[2], rng, draws)
    return dict(zip(names, found, strict=True))


def _summed(term: np.ndarray, label: np.ndarray) -> np.ndarray:
    return np.stack([np.bincount(label, row, label.max() + 1) for row in term])
