"""Coverage of the likelihood interval of one image's decay rate, in simulated experiments.

The runs of an image are pooled; truth is its rate, or what very many runs would be fitted with
where the process has no rate. Cost: seconds.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from worlds import World, draw

from lethe.analysis import curves

MANY = 400  # runs behind the truth where the process has no rate
FEWEST = 100  # images in a band that is shown
BANDS = {"all": (0, np.inf), "slow": (0, 0.02), "middle": (0.02, 0.1), "fast": (0.1, np.inf)}


def rate_rows(world: World, seed: int) -> list[dict]:
    """Share of images whose interval holds their rate: all images, and by how large the rate is."""
    rng = np.random.default_rng(seed)
    plain = world.process in ("independent", "serial") and world.rest == 0
    seen = draw(replace(world, seeds=world.seeds + MANY * (not plain)), rng)
    traces, _ = curves.retention_traces(seen.a)
    pooled = curves.pool_seeds(traces[: world.seeds])
    low, high = curves.profile_interval(*pooled)
    mid = _rate(pooled)
    true = np.exp(seen.log_rates[0]) if plain else _rate(curves.pool_seeds(traces[world.seeds :]))
    kept = {name: (least <= true) & (true < most) for name, (least, most) in BANDS.items()}
    return [
        {"part": name} | _summary(low, high, mid, true, band & (true < curves.RATE_MAX))
        for name, band in kept.items()
        if band.sum() >= FEWEST
    ]


def _rate(pooled: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return curves.fit_exponential(*pooled, method="bernoulli").rate


def _summary(low, high, mid, true, kept) -> dict[str, float]:
    low, high, mid, true = (values[kept] for values in (low, high, mid, true))
    share = float(((low <= true) & (true <= high)).mean())
    return {
        "true": float(np.median(true)),
        "coverage": share,
        "error": float(np.sqrt(share * (1 - share) / len(true))),
        "missed_low": float((high < true).mean()),
        "missed_high": float((low > true).mean()),
        "bias": float(np.mean(mid - true)),
        "width": float(np.median(high - low)),
        "replicates": len(true),
    }
