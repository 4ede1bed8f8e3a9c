"""The tables behind the figures on replay, on the three methods and on Chen et al.'s simulation.

Two-mode mixture model, after arXiv 2603.12163; formulas re-derived. Random parts take a seed.
Cost: replay about 4 s for 256 seeds, Chen et al. about 5 s for 10, methods below 1 s.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import logit

from lethe.analysis.mixture import chen, discover, oapl, replay, sdft

CASES = ((0.02, 4), (0.02, 16), (0.002, 4))  # weight at the start, batch size
SHARES = (0.0, 0.05, 0.2, 0.5)


def replayed(
    random_seed: int,
    cases: Sequence[tuple[float, int]] = CASES,
    shares: Sequence[float] = SHARES,
    separation: float = 6.0,
    alpha: float = 0.5,
    seeds: int = 256,
    batches: int = 20_000,
) -> tuple[pd.DataFrame, dict[tuple, np.ndarray]]:
    """Starvation, gradient noise and recovery of RL by replay share.

    Returns a table (beta, size, share, starvation, mean, sd of the first gradient over `batches`,
    median and q90 of the steps, missed, largest_weight) and the steps by (beta, size, share).
    """
    rows, steps = [], {}
    for k, (beta, size) in enumerate(cases):
        for j, share in enumerate(shares):
            rng = np.random.default_rng([random_seed, k, j])
            phi, setting = np.full(batches, logit(beta)), (separation, alpha, share, size)
            slope, weight = replay.gradient_draws(rng, phi, *setting)
            found = replay.recovery(rng, beta, *setting, seeds=seeds)
            steps[beta, size, share] = found.steps
            middle, late = np.quantile(found.steps, [0.5, 0.9], method="higher")
            chance = float(replay.starvation(beta, size, share))
            row = (beta, size, share, chance, slope.mean(), slope.std(ddof=1), middle, late)
            most = max(found.largest_weight, float(weight.max()))
            rows.append((*row, np.isinf(found.steps).mean(), most))
    names = ["beta", "size", "share", "starvation", "mean", "sd", "median", "q90", "missed"]
    return pd.DataFrame(rows, columns=[*names, "largest_weight"]), steps


def kept_by_discover(
    strengths: Sequence[float], gains: Sequence[float], beta: float = 0.5
) -> pd.DataFrame:
    """Old weight at the optimum over the KL strength: columns strength, arm, kept."""
    x = np.asarray(strengths, float)
    arms = {f"entropic, G = {g:g}": discover.kept_entropic(g, x, beta) for g in gains}
    most = max(gains)
    arms[f"expected reward, G = {most:g}"] = discover.kept_expected(most, x, beta)
    arms["floor of the entropic"] = discover.floor(x, beta)
    return _long(arms, "strength", x)


def kept_by_oapl(syncs: Sequence[int], ratios: Sequence[float], beta: float = 0.8) -> pd.DataFrame:
    """Old weight after syncs for ratios of reward gap to temperature: columns syncs, arm, kept."""
    x = np.asarray(syncs, float)
    arms = {f"gap / b2 = {r:g}": oapl.kept_after(x, r, beta, 1.0) for r in ratios}
    return _long(arms, "syncs", x)


def sdft_rates(
    anchors: Sequence[float], stiffness: float = 0.24, averaging: float = 0.05
) -> pd.DataFrame:
    """Rate at which SDFT returns to its demonstrations: columns anchor, rate."""
    x = np.asarray(anchors, float)
    return pd.DataFrame({"anchor": x, "rate": -sdft.slow_eigenvalue(stiffness, averaging, x)})


def chen_table(
    factors: Sequence[float], seeds: int = 10, first_seed: int = 0, new_mean: float = 3.5
) -> pd.DataFrame:
    """Chen et al.'s arms over the learning-rate factor.

    Columns: arm, factor, seed, step (0 where a run does not reach its gain), gain, drop, weight.
    """
    found = {arm: chen.simulate(arm, factors, seeds, first_seed, new_mean) for arm in chen.ARMS}
    rows = []
    for arm, outcome in found.items():
        for k, j in itertools.product(range(seeds), range(len(factors))):
            values = {name: float(x[k, j]) for name, x in outcome._asdict().items()}
            rows.append({"arm": arm, "factor": factors[j], "seed": first_seed + k} | values)
    return pd.DataFrame(rows)


def _long(arms: Mapping[str, np.ndarray], name: str, x: np.ndarray) -> pd.DataFrame:
    parts = [pd.DataFrame({name: x, "arm": arm, "kept": kept}) for arm, kept in arms.items()]
    return pd.concat(parts, ignore_index=True)
