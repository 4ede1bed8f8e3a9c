"""FLOW's weights and their controls: exact values, invariants, hostile losses."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lethe.capture import streams, weighting
from lethe.errors import LetheError

KEYS = streams.sample_keys(map(str, range(9)))
losses = arrays.arrays(float, 9, elements=st.floats(0, 50))


def test_the_median_sample_weighs_one_over_e():
    values = np.array([0.1, 0.5, 2.0])
    found = weighting.flow(values)
    assert weighting.temperature(values) == 0.5
    assert found == pytest.approx(np.exp([-0.2, -1, -4]))
    assert weighting.flow(values, tau=1.0) == pytest.approx(np.exp(-values))


def test_the_mean_weight_of_exponential_losses_is_its_closed_form():
    """E exp(-f / tau) of an Exp(1) loss with tau = ln 2 is tau / (1 + tau)."""
    values = np.random.default_rng(0).exponential(size=400_000)
    assert weighting.flow(values).mean() == pytest.approx(np.log(2) / (1 + np.log(2)), abs=0.002)


@given(losses)
def test_weights_lie_in_0_1_and_fall_with_the_loss(values):
    found = weighting.flow(values)
    assert ((found >= 0) & (found <= 1)).all()
    order = np.argsort(values)
    assert (np.diff(found[order]) <= 0).all()
    assert (found >= np.exp(-1) - 1e-12).sum() >= 5  # half and the median itself


@given(losses)
def test_controls_keep_what_they_should(values):
    found = weighting.flow(values)
    kinds = {kind: weighting.weights_of(kind, values, 3, KEYS) for kind in weighting.KINDS}
    assert (kinds["ones"] == 1).all()
    assert (kinds["flow"] == found).all()
    assert np.allclose(kinds["constant"], found.mean())
    assert kinds["normalised"].mean() == pytest.approx(1)
    for kind in ("permuted", "reversed"):
        assert sorted(kinds[kind]) == sorted(found)
    order = np.argsort(found, kind="stable")
    assert (np.diff(kinds["reversed"][order]) <= 0).all()  # largest on the hardest


def test_a_permutation_belongs_to_its_seed():
    values = np.arange(9.0)
    one, again, other = (weighting.weights_of("permuted", values, s, KEYS) for s in (1, 1, 2))
    assert (one == again).all()
    assert not (one == other).all()


def test_equal_and_vanishing_losses_are_defined():
    assert weighting.flow(np.full(4, 2.0)) == pytest.approx(np.exp(-1))
    assert (weighting.flow(np.zeros(4)) == 1).all()
    mostly = weighting.flow(np.array([0, 0, 0, 1.0]))
    assert mostly.tolist() == [1, 1, 1, 0]  # the limit of a small temperature
    assert weighting.flow(np.array([3.0])) == pytest.approx(np.exp(-1))
    assert (weighting.normalised(np.zeros(3)) == 1).all()


@pytest.mark.parametrize("bad", [[], [np.nan, 1], [np.inf, 1], [-1, 2]])
def test_impossible_losses_are_refused(bad):
    with pytest.raises(LetheError, match="finite and 0 or above"):
        weighting.flow(np.array(bad, float))


def test_a_temperature_of_0_and_unknown_kinds_and_ids_are_refused():
    with pytest.raises(LetheError, match="above 0, not 0"):
        weighting.flow(np.ones(3), tau=0.0)
    with pytest.raises(LetheError, match=r"unknown weights 'flaw'.*flow"):
        weighting.weights_of("flaw", np.ones(9), 0, KEYS)
    known = {"a/1": 0.5, "a/2": 1.0}
    assert weighting.by_id(known, ["a/2", "a/1"]).tolist() == [1.0, 0.5]
    with pytest.raises(LetheError, match=r"no weight for sample 'a/3'.*a/"):
        weighting.by_id(known, ["a/3"])
    with pytest.raises(LetheError, match="finite and 0 or above"):
        weighting.by_id({"a": -1.0}, ["a"])


def test_the_loss_divides_by_the_batch_not_by_the_weights():
    logits, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    weights = torch.rand(5)
    rows = F.cross_entropy(logits, labels, reduction="none")
    found = weighting.weighted_loss(logits, labels, weights)
    assert found == pytest.approx(float((weights * rows).sum() / 5))
    ones = weighting.weighted_loss(logits, labels, torch.ones(5))
    assert ones == pytest.approx(float(F.cross_entropy(logits, labels)))


def test_a_batch_of_one():
    logits, labels = torch.randn(1, 3), torch.tensor([1])
    assert weighting.weighted_loss(logits, labels, torch.tensor([0.0])) == 0
