"""Random pictures, and their decoding written slowly, for the tests of the decoded cache."""

import numpy as np
from PIL import Image

RANDOM = np.random.default_rng(0)


def noise(height, width, *channels):
    return RANDOM.integers(0, 256, (height, width, *channels), dtype=np.uint8)


def photographs(root, count=12):
    """Photographs of odd shapes, as JPEG and PNG; returns their names."""
    names = []
    for n in range(count):
        name = f"{n:02d}.{'jpg' if n % 2 else 'png'}"
        picture = Image.fromarray(noise(40 + 7 * n, 90 - 5 * n, 3))
        picture.save(root / name, quality=90)
        names.append(name)
    return names


def slowly(path, pixels):
    """The definition in words of Pillow, for pictures without orientation or transparency."""
    picture = Image.open(path).convert("RGB")
    width, height = picture.size
    wide = width > height
    longer = int(pixels * max(width, height) / min(width, height))
    size = (longer, pixels) if wide else (pixels, longer)
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    left, top = round((size[0] - pixels) / 2), round((size[1] - pixels) / 2)
    return np.asarray(picture)[top : top + pixels, left : left + pixels]
