"""Two networks at equal accuracy: the epochs at which both know equally many training images.

Definition: the longest list of epoch pairs, in order in both networks and no epoch twice, whose
training accuracies (mean over seeds) differ by at most a tolerance; among the longest, the one
with the smallest differences. Retention traces made of these epochs compare how two networks
forget while they know equally much. Cost: epochs squared.
"""

from __future__ import annotations

import numpy as np

TOLERANCE = 0.01  # one image in a hundred


def matched_epochs(
    accuracy_a: np.ndarray, accuracy_b: np.ndarray, tolerance: float = TOLERANCE
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the epochs of a and of b that stand beside each other, int [pair] each.

    accuracy [epoch], in [0, 1]. Both are empty where the accuracies never come close.
    Source: longest common subsequence, by dynamic programming.
    """
    apart = np.abs(accuracy_a[:, None] - accuracy_b)
    # a pair counts 1; the differences of all pairs together count less than one pair
    pair = np.where(apart <= tolerance, 1 - apart / (1 + apart.size), -np.inf)
    best = np.zeros((len(accuracy_a) + 1, len(accuracy_b) + 1))
    for i, j in np.ndindex(pair.shape):
        best[i + 1, j + 1] = max(best[i, j + 1], best[i + 1, j], best[i, j] + pair[i, j])
    return _walk_back(best)


def _walk_back(best: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs behind the last entry of a table of best sums."""
    i, j = np.array(best.shape) - 1
    found = []
    while i and j:
        if best[i, j] == best[i - 1, j]:
            i -= 1
        elif best[i, j] == best[i, j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            found.append((i, j))
    pairs = np.array(found[::-1], int).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def at_equal_accuracy(
    correct_a: np.ndarray, correct_b: np.ndarray, tolerance: float = TOLERANCE
) -> tuple[np.ndarray, np.ndarray]:
    """The answers of two networks [seed, epoch, sample], cut to their matched epochs.

    Where there is no such epoch, the first of each is kept: nothing can be fitted to it.
    """
    epochs = matched_epochs(correct_a.mean((0, 2)), correct_b.mean((0, 2)), tolerance)
    if not len(epochs[0]):
        epochs = (np.array([0]), np.array([0]))
    return correct_a[:, epochs[0]], correct_b[:, epochs[1]]
