"""The rival: the same model fed the usual way, by timm's loader over a folder of JPEG files.

Worker processes decode, crop, mirror and normalise one image at a time; the main process trains.
The files already have the size that the model wants, which is the loader's best case. Cost: as
long as it takes to decode every image in every epoch.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from timm.data import create_dataset, create_loader
from torch import Tensor, nn
from torch.optim import Optimizer

from lethe.capture.training import precision


def write_folder(folder: Path, images: int, pixels: int, classes: int = 10) -> Path:
    """A folder of JPEG files, one folder a class: smooth random pictures, as photographs are."""
    draw = np.random.default_rng(0)
    for n in range(images):
        place = folder / f"class{n % classes}"
        place.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(draw.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        picture = coarse.resize((pixels, pixels), Image.Resampling.BICUBIC)
        picture.save(place / f"{n}.jpg", quality=90)
    return folder


def workers() -> int:
    """One loader process a core."""
    return os.cpu_count() or 1


def make_loader(folder: Path, pixels: int, batch: int, device: torch.device) -> Iterable:
    """timm's training loader with its standard augmentation (random crop, mirror, colour)."""
    return create_loader(
        create_dataset("", root=str(folder)),
        input_size=(3, pixels, pixels),
        batch_size=batch,
        is_training=True,
        num_workers=workers(),
        use_prefetcher=device.type == "cuda",
        device=device,
        persistent_workers=True,
    )


def train(model: nn.Module, optimizer: Optimizer, loader: Iterable, device: torch.device) -> None:
    """One epoch as timm's script has it: same precision, layout, loss and optimizer as Lethe's."""
    model.train()
    for images, labels in loader:
        images = images.to(device).contiguous(memory_format=torch.channels_last)
        step(model, optimizer, images, labels.to(device))


def step(model: nn.Module, optimizer: Optimizer, images: Tensor, labels: Tensor) -> None:
    """One training step on images that are ready."""
    with precision(images.device):
        logits = model(images)
    loss = F.cross_entropy(logits.float(), labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
