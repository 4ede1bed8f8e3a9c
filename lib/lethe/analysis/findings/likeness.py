"""How alike the classes of a data set look: from the pixels alone, or to a network.

Three measures: the correlation of the mean pictures of two classes; the share of a class's images
whose nearest other image has another label; the share that some runs take for one other class.
Pictures are shrunk first, to at most 32 and to 16 pixels a side.
Cost: 2 s for 6,200 images (every image is compared with every other).
"""

from __future__ import annotations

import numpy as np

MEAN_SIDE, NEAR_SIDE = 32, 16
BLOCK = 500  # images compared with all others at a time


def shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    """Pictures uint8 [n, h, w, c] as rows of block means, float32 [n, values].

    At most `side` pixels a side; blocks are square, a rest at the right and bottom is cut off.
    """
    n, height, width, channels = pixels.shape
    step = max(-(-max(height, width) // side), 1)
    down, across = height // step, width // step
    whole = pixels[:, : down * step, : across * step]
    blocks = whole.reshape(n, down, step, across, step, channels)
    return blocks.mean(axis=(2, 4), dtype=np.float32).reshape(n, -1)


def mean_picture_likeness(pixels: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest other class and the correlation of the two mean pictures, both [class].

    labels int [n], every class with an image.
    """
    flat = shrunk(pixels, MEAN_SIDE)
    means = np.array([flat[labels == c].mean(axis=0) for c in range(int(labels.max()) + 1)])
    alike = np.corrcoef(means)
    np.fill_diagonal(alike, -1)
    return alike.argmax(axis=1), alike.max(axis=1)


def strange_neighbours(pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of the images of each class whose nearest other image has another label [class]."""
    flat = shrunk(pixels, NEAR_SIDE)
    size = (flat**2).sum(axis=1)
    nearest = np.empty(len(flat), dtype=int)
    for start in range(0, len(flat), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(flat)))
        distance = size - 2 * flat[rows] @ flat.T
        distance[np.arange(len(rows)), rows] = np.inf
        nearest[rows] = distance.argmin(axis=1)
    return np.bincount(labels, labels[nearest] != labels) / np.bincount(labels)


def confusion_likeness(answers: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Class it is confused with most, and how often, both [class]; answers int [run, image].

    How often = mean of the share of its images taken for the other class and the other way round.
    """
    size = int(labels.max()) + 1
    pairs = labels.astype(int) * size + answers  # 16 bits hold no pair of 182 classes
    counts = np.bincount(pairs.ravel(), minlength=size * size)
    shares = counts.reshape(size, size) / (len(answers) * np.bincount(labels)[:, None])
    mutual = (shares + shares.T) / 2
    np.fill_diagonal(mutual, -1)
    return mutual.argmax(axis=1), mutual.max(axis=1)


def mistaken(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of wrong answers by class [class]; answers int [run, image], labels int [image]."""
    return np.bincount(labels, (answers != labels).mean(axis=0)) / np.bincount(labels)
