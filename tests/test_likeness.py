"""Likeness of classes from pixels, against slow versions."""

import numpy as np
import pytest

from lethe.analysis.findings import likeness


@pytest.mark.parametrize("shape", [(16, 16, 1), (32, 32, 3), (40, 33, 3)])
def test_likeness_agrees_with_a_slow_version(shape):
    rng = np.random.default_rng(10)
    label = rng.permutation(np.repeat(np.arange(5), 12))
    pixels = rng.integers(0, 256, (60, *shape)).astype(np.uint8)
    flat = likeness.shrunk(pixels, 16)
    nearest = [
        min((j for j in range(60) if j != i), key=lambda j: ((flat[i] - flat[j]) ** 2).sum())
        for i in range(60)
    ]
    strange = [
        np.mean([label[nearest[i]] != c for i in np.flatnonzero(label == c)]) for c in range(5)
    ]
    assert np.allclose(likeness.strange_neighbours(pixels, label), strange)
    mean = [likeness.shrunk(pixels, 32)[label == c].mean(axis=0) for c in range(5)]
    for c, (other, value) in enumerate(
        zip(*likeness.mean_picture_likeness(pixels, label), strict=True)
    ):
        alike = {k: np.corrcoef(mean[c], mean[k])[0, 1] for k in range(5) if k != c}
        assert value == pytest.approx(max(alike.values()))
        assert alike[other] == pytest.approx(value)


def test_shrinking_takes_block_means():
    pixels = np.arange(2 * 4 * 6 * 1, dtype=np.uint8).reshape(2, 4, 6, 1)
    rows = likeness.shrunk(pixels, 3)
    assert rows.shape == (2, 2 * 3)
    assert rows[0, 0] == np.mean([0, 1, 6, 7])
    assert np.array_equal(likeness.shrunk(pixels, 6), pixels.reshape(2, -1))


def test_confusion_agrees_with_a_slow_version():
    rng = np.random.default_rng(3)
    label = rng.permutation(np.repeat(np.arange(4), [20, 10, 5, 3]))
    answers = np.where(rng.random((6, 38)) < 0.6, label, rng.integers(0, 4, (6, 38)))

    def taken(a, b):
        return np.mean(answers[:, label == a] == b)

    for c, (other, share) in enumerate(
        zip(*likeness.confusion_likeness(answers.astype(np.int16), label), strict=True)
    ):
        mutual = {k: (taken(c, k) + taken(k, c)) / 2 for k in range(4) if k != c}
        assert share == pytest.approx(max(mutual.values()))
        assert mutual[other] == pytest.approx(share)
    wrong = [1 - taken(c, c) for c in range(4)]
    assert np.allclose(likeness.mistaken(answers, label), wrong)


def test_classes_that_nobody_confuses_are_not_alike():
    label = np.array([0, 0, 1, 1, 2])
    assert likeness.confusion_likeness(label[None], label)[1].tolist() == [0, 0, 0]
