"""Augmentation: the identity, pure shifts and mirrors against exact numpy results, and
independence of the batch.
"""

from dataclasses import replace

import numpy as np
import torch

from lethe.capture.augment import augment, normalise
from lethe.capture.recipes import find_recipe

STILL = replace(find_recipe("quick", "test_resnet"), shift=0.0, scale=0.0, rotate=0.0, flip=False)
IMAGES = torch.rand(6, 2, 8, 8)
MIDDLE = torch.full((6, 5), 0.5)


def test_no_augmentation_is_the_identity():
    torch.testing.assert_close(augment(IMAGES, torch.rand(6, 5), STILL), IMAGES)


def test_a_full_shift_moves_by_whole_pixels():
    draws = MIDDLE.clone()
    draws[:, 0] = 1.0  # the largest shift to the right edge of the input: two pixels of eight
    moved = augment(IMAGES, draws, replace(STILL, shift=0.25))
    torch.testing.assert_close(moved[..., :6], IMAGES[..., 2:])
    torch.testing.assert_close(moved[..., 6], IMAGES[..., 7])  # the border is repeated


def test_a_mirror_is_exact_and_a_matter_of_the_draw():
    draws = MIDDLE.clone()
    draws[:3, 4] = 0.1
    mirrored = augment(IMAGES, draws, replace(STILL, flip=True))
    torch.testing.assert_close(mirrored[:3], IMAGES[:3].flip(-1))
    torch.testing.assert_close(mirrored[3:], IMAGES[3:])


def test_a_quarter_turn_is_exact():
    draws = MIDDLE.clone()
    draws[:, 3] = 1.0
    turned = augment(IMAGES, draws, replace(STILL, rotate=90.0))
    torch.testing.assert_close(turned, torch.rot90(IMAGES, 1, (2, 3)), atol=1e-5, rtol=1e-5)


def test_a_sample_is_changed_alike_in_any_batch():
    recipe = replace(STILL, shift=0.1, scale=0.2, rotate=10.0, flip=True)
    draws = torch.rand(6, 5)
    together = augment(IMAGES, draws, recipe)
    alone = torch.cat([augment(IMAGES[i : i + 1], draws[i : i + 1], recipe) for i in range(6)])
    torch.testing.assert_close(together, alone)


def test_normalise_is_the_formula():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    expected = (pixels / 255 - 0.5) / 0.5
    torch.testing.assert_close(
        normalise(torch.from_numpy(pixels), STILL).double(),
        torch.from_numpy(expected),
        atol=1e-6,
        rtol=0,
    )
