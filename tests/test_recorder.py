"""The recorder against the definitions, computed one sample at a time in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from lethe.capture.recorder import Recorder, measure
from lethe.errors import LetheError


def by_definition(logits: np.ndarray, label: int) -> dict[str, float]:
    probabilities = softmax(logits)
    others = np.delete(logits, label)
    return {
        "prediction": int(np.argmax(logits)),
        "loss": -log_softmax(logits)[label],
        "margin": logits[label] - others.max(),
        "error_l2": np.linalg.norm(probabilities - np.eye(len(logits))[label]),
    }


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(2, 12), st.integers(0, 10_000), st.floats(0.1, 30))
def test_measure_is_the_definition(samples, classes, seed, scale):
    rng = np.random.default_rng(seed)
    logits = (scale * rng.normal(size=(samples, classes))).astype(np.float32)
    labels = rng.integers(0, classes, samples)
    fast = measure(torch.from_numpy(logits), torch.from_numpy(labels))
    for row in range(samples):
        slow = by_definition(logits[row].astype(np.float64), labels[row])
        for name, value in slow.items():
            assert float(fast[name][row]) == pytest.approx(value, abs=2e-5, rel=2e-5)


def test_correct_means_positive_margin():
    logits = torch.randn(500, 7)
    labels = torch.randint(0, 7, (500,))
    found = measure(logits, labels)
    assert torch.equal(found["prediction"].long() == labels, found["margin"] > 0)


def test_batches_in_any_order_and_size_give_the_same_epoch():
    logits, labels = torch.randn(11, 4), torch.randint(0, 4, (11,))
    whole = Recorder(11)
    whole.record(torch.arange(11), logits, labels)
    pieces = Recorder(11)
    for part in torch.randperm(11).split(3):
        pieces.record(part, logits[part], labels[part])
    one, other = whole.end_epoch(), pieces.end_epoch()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-6)


def test_bfloat16_logits_are_measured_in_float32():
    logits, labels = torch.randn(5, 3).bfloat16(), torch.randint(0, 3, (5,))
    exact, low = measure(logits.float(), labels), measure(logits, labels)
    assert torch.equal(exact["loss"], low["loss"])


@pytest.mark.parametrize(("positions", "times"), [([0, 1], 0), ([0, 1, 2, 2], 2)])
def test_missing_and_repeated_samples_are_refused(positions, times):
    recorder = Recorder(3)
    n = len(positions)
    recorder.record(torch.tensor(positions), torch.randn(n, 2), torch.zeros(n, dtype=torch.int64))
    with pytest.raises(LetheError, match=f"position 2 was recorded {times} times"):
        recorder.end_epoch()


def test_lengths_that_disagree_are_refused():
    with pytest.raises(LetheError, match="2, 3 and 2"):
        Recorder(3).record(torch.arange(2), torch.randn(3, 2), torch.zeros(2, dtype=torch.int64))
