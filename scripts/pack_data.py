"""Photographs in one small file, for a machine that can fetch nothing.

From Tiny-ImageNet it takes as many images of every class as fit, as 64-pixel WebP files in the
official layout (for pretraining, where slightly changed pixels do no harm); from CIFAR-10 exactly
the images of `cifar7`, byte for byte, so that traces made from the pack are those of the whole data
set. Usage: python scripts/pack_data.py TINY CIFAR OUT.tar.gz [--mib 40] [--quality 60], where TINY
and CIFAR are archives or folders. Cost: a millisecond an image.
"""

from __future__ import annotations

import argparse
import io
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from lethe.datasets.cifar import CLASSES, load_cifar7

TINY = "tiny-imagenet-200"
ENTRY = 60  # bytes that a tar entry takes after compression
Entry = tuple[str, bytes]


def folder_of(source: Path, name: str, scratch: Path) -> Path:
    """The data set's folder: `source` itself, or what its archive holds."""
    if source.is_dir():
        return source
    with tarfile.open(source) as archive:
        archive.extractall(scratch / name, filter="data")
    inside = [path for path in (scratch / name).rglob("train") if path.is_dir()]
    if not inside:
        sys.exit(f"{source} holds no folder `train`")
    return inside[0].parent


def cifar7_entries(folder: Path) -> Iterator[Entry]:
    """The images of cifar7 as they are, and one of each other class (the loader wants it)."""
    for split in ("train", "test"):
        names = list(load_cifar7(folder, split).sample_ids)
        for label in CLASSES[7:]:
            first = min((folder / split / label).iterdir())
            names.append(f"{split}/{label}/{first.stem}")
        for name in names:
            (file,) = (folder / name).parent.glob(f"{Path(name).name}.*")
            yield f"cifar10/{file.relative_to(folder)}", file.read_bytes()


def webp(file: Path, quality: int) -> bytes:
    """An image file as 64-pixel WebP."""
    buffer = io.BytesIO()
    with Image.open(file) as picture:
        picture.convert("RGB").resize((64, 64)).save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()


def tiny_entries(folder: Path, quality: int) -> Iterator[Entry]:
    """Training images, one of every class at a time, so that it can end anywhere."""
    classes = sorted(path.name for path in (folder / "train").iterdir())
    files = [sorted((folder / "train" / label / "images").iterdir()) for label in classes]
    for turn in zip(*files):
        for label, file in zip(classes, turn):
            yield f"{TINY}/train/{label}/images/{file.stem}.webp", webp(file, quality)


def validation_entries(folder: Path, quality: int, each: int) -> Iterator[Entry]:
    """`each` validation images of every class, and their table."""
    lines, seen = [], {}
    for line in (folder / "val" / "val_annotations.txt").read_text().splitlines():
        name, label = line.split("\t")[:2]
        file = folder / "val" / "images" / name
        if seen.setdefault(label, 0) < each and file.is_file():
            seen[label] += 1
            lines.append(f"{file.stem}.webp\t{label}")
            yield f"{TINY}/val/images/{file.stem}.webp", webp(file, quality)
    yield f"{TINY}/val/val_annotations.txt", "\n".join(lines).encode()


def write(entries: Iterator[Entry], archive: tarfile.TarFile, room: float) -> tuple[int, float]:
    """Add entries until the room (bytes) is used up; returns how many, and the room left."""
    count = 0
    for name, data in entries:
        room -= len(data) + ENTRY
        if room < 0:
            break
        about = tarfile.TarInfo(name)
        about.size = len(data)
        archive.addfile(about, io.BytesIO(data))
        count += 1
    return count, room


def main() -> None:
    """Pack CIFAR's part, the validation images, then training images up to the size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tiny", type=Path)
    parser.add_argument("cifar", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--mib", type=float, default=40, help="largest size of the pack")
    parser.add_argument("--quality", type=int, default=60, help="of WebP, 1 to 100")
    parser.add_argument("--validation", type=int, default=10, help="images of every class")
    choices, room = parser.parse_args(), 0.0
    with tempfile.TemporaryDirectory() as scratch:
        tiny = folder_of(choices.tiny, "tiny", Path(scratch))
        cifar = folder_of(choices.cifar, "cifar", Path(scratch))
        with tarfile.open(choices.out, "w:gz", compresslevel=6) as archive:
            photographs, room = write(cifar7_entries(cifar), archive, choices.mib * 2**20)
            unseen = validation_entries(tiny, choices.quality, choices.validation)
            unseen_count, room = write(unseen, archive, room)
            count, room = write(tiny_entries(tiny, choices.quality), archive, room)
    size = choices.out.stat().st_size / 2**20
    print(f"{choices.out}: {size:.1f} MiB, {photographs} CIFAR-10 images, Tiny-ImageNet {count}")
    print(f"training and {unseen_count - 1} validation images")


if __name__ == "__main__":
    main()
