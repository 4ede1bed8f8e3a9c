"""The life of one image as a strip of a few pixels: one row a seed, one column an epoch.

It stands below a picture in a contact sheet, with its words as text alternative. Cost: 0.3 kB each.
"""

from collections.abc import Mapping

import numpy as np

from lethe.pages.rasters import STATE_SCALE, states

GAP = 2  # empty rows between two networks


def life_strip(lives: Mapping[str, np.ndarray]) -> tuple[np.ndarray, str]:
    """Return a strip uint8 [row, epoch, rgba] of one image, network below network, and its words.

    `lives`: network to bool `correct` [seed, epoch]; a shorter training ends in empty columns.
    """
    height = sum(len(life) + GAP for life in lives.values()) - GAP
    strip = np.zeros((height, max(life.shape[1] for life in lives.values()), 4), np.uint8)
    top = 0
    for life in lives.values():
        strip[top : top + len(life), : life.shape[1]] = _colours()[states(life)]
        top += len(life) + GAP
    return strip, "; ".join(f"{name}, lost in {_lost(x)} seeds" for name, x in lives.items())


def _colours() -> np.ndarray:
    """The colours of the states, uint8 [state, rgba]."""
    return np.array(
        [[*bytes.fromhex(c[1:]), 255] for c in STATE_SCALE.to_dict()["range"]], np.uint8
    )


def _lost(correct: np.ndarray) -> str:
    return f"{(states(correct) == 2).any(axis=1).sum()} of {len(correct)}"
