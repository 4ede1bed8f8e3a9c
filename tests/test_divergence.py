"""Distances between predictions, against scipy and against each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from lethe.analysis.divergence import DIVERGENCES, churn, hellinger, jensen_shannon, total_variation
from lethe.errors import LetheError


def drawn(seed: int, shape=(3, 20, 5), sharp: float = 0.3) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(shape[-1], sharp), shape[:-1])


def test_against_the_definitions_image_by_image():
    p, q = drawn(0), drawn(1)
    for k in range(3):
        js = np.mean([jensenshannon(a, b) ** 2 for a, b in zip(p[k], q[k], strict=True)])
        tv = np.mean([max((a - b)[a > b].sum(), 0) for a, b in zip(p[k], q[k], strict=True)])
        h = np.mean([np.sqrt(1 - np.sqrt(a * b).sum()) for a, b in zip(p[k], q[k], strict=True)])
        assert jensen_shannon(p, q)[k] == pytest.approx(js, rel=1e-9)
        assert total_variation(p, q)[k] == pytest.approx(tv, rel=1e-9)
        assert hellinger(p, q)[k] == pytest.approx(h, rel=1e-9)
        assert churn(p, q)[k] == np.mean(p[k].argmax(1) != q[k].argmax(1))


@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.3, 2.0]))
def test_inequalities_between_them(seed, sharp):
    p, q = drawn(seed, (1, 4), sharp), drawn(seed + 1, (1, 4), sharp)
    tv, h, js = total_variation(p, q), hellinger(p, q), jensen_shannon(p, q)
    assert h**2 <= tv + 1e-12
    assert tv <= np.sqrt(2) * h + 1e-12
    assert js <= np.log(2) * tv + 1e-12
    assert tv**2 / 2 <= js + 1e-12  # Pinsker, twice


def test_ends():
    p = np.eye(4)[None]
    q = p[:, ::-1]
    for name, distance in DIVERGENCES.items():
        assert distance(p, p)[0] == 0, name
        assert distance(p, q)[0] == pytest.approx(np.log(2) if name == "js" else 1)


def test_bad_input():
    p = drawn(0)
    with pytest.raises(LetheError, match="of one shape"):
        total_variation(p, p[:, :10])
    with pytest.raises(LetheError, match="sum to 1"):
        total_variation(p, 2 * p)
    with pytest.raises(LetheError, match="0 or more"):
        hellinger(p, np.where(p == p.max(), np.nan, p))
