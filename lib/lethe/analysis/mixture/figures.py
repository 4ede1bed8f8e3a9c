"""The tables behind the figures of the page on mixtures: flows, bounds and local geometry.

Two-mode mixture model, after arXiv 2603.12163; formulas re-derived. The page and the tests call the
same functions. Every flow runs in the logit clock unless told.
Cost: basins about 5 s, the explorer 2 s, all others below 1 s.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from lethe.analysis.mixture import closed_forms, drift, geometry, kept, misassignment
from lethe.analysis.mixture.flows import CLOCKS, FIXED, Flow, forward_flow, reverse_flow
from lethe.analysis.mixture.gaussians import learner
from lethe.analysis.mixture.gradients import reverse_kl

SFT, REPLAY, RL = "SFT", "SFT with replay", "RL"


def three_arms(
    separations: Sequence[float],
    times: np.ndarray,
    alpha: float = 0.6,
    beta: float = 0.9,
    replay: float = 0.3,
    clock: str = "logit",
) -> pd.DataFrame:
    """Flows of SFT, SFT with replay and RL from a learner that has both components right.

    Columns: separation, arm, t, beta, old_mean, new_mean, overlap, old_half.
    """
    distance = np.asarray(separations, float)
    start = learner(np.full(len(distance), beta), 0.0, distance)
    flows = {
        SFT: forward_flow(start, distance, times, 0.0, clock),
        REPLAY: forward_flow(start, distance, times, replay, clock),
        RL: reverse_flow(start, distance, times, alpha, clock),
    }
    return pd.concat(_rows(flow, distance, alpha).assign(arm=arm) for arm, flow in flows.items())


def mass_decay(separations: Sequence[float], times: np.ndarray, beta: float = 0.9) -> pd.DataFrame:
    """Weight under SFT with fixed components, and without overlap in closed form: arm, t, beta."""
    distance = np.asarray(separations, float)
    start = learner(np.full(len(distance), beta), 0.0, distance)
    flow = forward_flow(start, distance, times, rates=FIXED)
    arms = {f"separation {d:g}": path for d, path in zip(distance, flow.beta)}
    arms["no overlap (closed form)"] = closed_forms.mass_without_overlap(beta, times)
    parts = [pd.DataFrame({"arm": arm, "t": times, "beta": path}) for arm, path in arms.items()]
    return pd.concat(parts, ignore_index=True)


def fall_times(separation: float = 4.0, beta: float = 0.9, end: float = 0.01) -> dict[str, float]:
    """Time in which SFT lowers the weight from beta to end by clock, and steps of EM."""
    times = {c: closed_forms.time_to_fall(separation, beta, end, c) for c in CLOCKS}
    return times | {"EM, steps": float(closed_forms.em_steps(separation, beta, end))}


def misassignments(separations: Sequence[float], betas: Sequence[float]) -> pd.DataFrame:
    """eps_on by the identity, and its bound: columns separation, beta, exact, bound."""
    grid = np.array(list(itertools.product(betas, separations)))
    exact = misassignment.old_to_new(grid[:, 1], grid[:, 0])
    bound = misassignment.bound(grid[:, 1], grid[:, 0])
    columns = {"separation": grid[:, 1], "beta": grid[:, 0], "exact": exact, "bound": bound}
    return pd.DataFrame(columns)


def drifts(separations: Sequence[float], beta: float = 0.75, alpha: float = 0.6) -> pd.DataFrame:
    """Speed of a right old mean at the start: separation, RL, SFT, bound (of RL)."""
    distance = np.asarray(separations, float)
    table = {"separation": distance, RL: np.abs(drift.reverse_velocity(distance, beta, alpha))}
    table |= {SFT: drift.forward_velocity(distance, beta)}
    return pd.DataFrame(table | {"bound": drift.velocity_bound(distance, beta, alpha)})


def decay_exponent(speeds: pd.DataFrame, arm: str, least: float) -> float:
    """Slope of ln speed against the squared separation, from the separation `least` on."""
    far = speeds[speeds["separation"] >= least]
    return float(np.polyfit(far["separation"] ** 2, np.log(far[arm]), 1)[0])


def local_rates(separations: Sequence[float], alpha: float = 0.6) -> pd.DataFrame:
    """Local geometry of RL: separation, predicted and fitted rate of the KL, condition number."""
    rows = []
    for distance in np.asarray(separations, float):
        start = learner(min(alpha + 0.15, 0.95), 0.2, distance - 0.3)
        predicted = 2 * geometry.smallest_eigenvalue(distance, alpha)
        fitted = geometry.late_rate(distance, alpha, start)[0]
        rows.append((distance, predicted, fitted, geometry.condition_number(distance, alpha)))
    return pd.DataFrame(rows, columns=["separation", "predicted", "fitted", "condition"])


def basins(
    separations: Sequence[float],
    starts: Sequence[float],
    alpha: float = 0.6,
    until: float = 2000.0,
) -> pd.DataFrame:
    """RL from a new mean that has gone only a fraction `start` of its way.

    The old component is right and beta = alpha at the start. Columns: separation, start, and at the
    end kl, beta, new_mean.
    """
    grid = np.array(list(itertools.product(separations, starts)))
    distance, x = grid.T
    begin = learner(np.full(len(grid), alpha), 0.0, x * distance)
    end = reverse_flow(begin, distance, np.array([until]), alpha)
    columns = {"separation": distance, "start": x}
    columns |= {"kl": reverse_kl(end.states[:, -1], distance, alpha), "beta": end.beta[:, -1]}
    return pd.DataFrame(columns | {"new_mean": end.states[:, -1, 2]})


def explorer(
    separations: Sequence[float],
    alphas: Sequence[float],
    replays: Sequence[float],
    factors: Sequence[float],
    times: Sequence[float],
    beta: float = 0.9,
) -> pd.DataFrame:
    """Overlap kept by SFT with a replay share and by RL, for all combinations of the settings.

    A factor multiplies the learning rates of the weight and of the old mean. Columns: separation,
    alpha, replay, factor, t, arm, overlap.
    """
    grid = np.array(list(itertools.product(separations, alphas, replays, factors)))
    distance, alpha, replay, factor = grid.T
    start = learner(np.full(len(grid), beta), 0.0, distance)
    rates = np.stack([factor, factor, np.ones_like(factor)], -1)
    t = np.asarray(times, float)
    sft = forward_flow(start, distance, t, replay, rates=rates)
    once, back = np.unique(grid[:, [0, 1, 3]], axis=0, return_inverse=True)  # RL: no replay
    begin = learner(np.full(len(once), beta), 0.0, once[:, 0])
    slow = np.stack([once[:, 2], once[:, 2], np.ones(len(once))], -1)
    rl = reverse_flow(begin, once[:, 0], t, once[:, 1], rates=slow)
    covered = {"SFT with this replay share": kept.overlap(sft.states, alpha[:, None])}
    covered["RL"] = kept.overlap(rl.states, once[:, 1, None])[back.ravel()]
    names = ["separation", "alpha", "replay", "factor"]
    rows = pd.DataFrame(np.repeat(grid, len(t), axis=0), columns=names)
    rows["t"] = np.tile(t, len(grid))
    parts = [rows.assign(arm=arm, overlap=found.ravel()) for arm, found in covered.items()]
    return pd.concat(parts, ignore_index=True)


def _rows(flow: Flow, distance: np.ndarray, alpha: float) -> pd.DataFrame:
    """A row a flow and a time."""
    shape = flow.beta.shape
    table = {"separation": np.broadcast_to(distance[:, None], shape)}
    table |= {"t": np.broadcast_to(flow.times, shape), "beta": flow.beta}
    table |= {"old_mean": flow.states[..., 1], "new_mean": flow.states[..., 2]}
    table |= {"overlap": kept.overlap(flow.states, alpha)}
    table |= {"old_half": kept.old_half(flow.states, distance[:, None])}
    return pd.DataFrame({name: values.ravel() for name, values in table.items()})
