"""Images decoded once into a memory-mapped array.

Definition: an image is turned upright (EXIF), laid on white where it is transparent, made RGB, its
short side resized to `pixels` (Pillow's antialiased bicubic filter on the full-size image) and its
central square cut out: torchvision's Resize(pixels) and CenterCrop(pixels). With `squeeze` the
whole image is resized to the square instead, whatever its shape. The array is kept in `decoded` of
the data sets' folder under a key of folder, names, sizes, times of change, `pixels` and decoder,
and checked against its sha256 at each opening. Cost: 3 * pixels^2 bytes an image on disk; about
3 ms a core for a photograph of 500 x 375 once, then a second per gigabyte.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageOps
from rich.console import Console
from rich.progress import track

from lethe.errors import LetheError
from lethe.paths import datasets_folder
from lethe.traces.files import discard, file_sha256, flush_folder, make_folder, write_json

VERSION = 1  # raise it when a decoded pixel changes
LONGEST = 64  # longest side over shortest; more is a mistake and would fill the memory


def decoded(root: Path, names: Sequence[str], pixels: int, *, squeeze: bool = False) -> np.ndarray:
    """Return uint8 [n, pixels, pixels, 3] of the image files `names` in `root`, in that order.

    Names are relative to `root`. The array is a read-only memory map. Raises LetheError for no
    names, a size below 1, an image that is missing or cannot be read, and a full disk.
    """
    if pixels < 1 or not len(names):
        raise LetheError(f"{root}: {len(names)} images of {pixels} pixels; give at least one")
    key = _key(Path(root), names, pixels, squeeze)
    folder = datasets_folder() / "decoded"
    make_folder(folder)
    path, shape = folder / f"{key}.npy", (len(names), pixels, pixels, 3)
    with _one_at_a_time(folder / f"{key}.lock"):
        found = _open(path, shape)
        if found is not None:
            return found
        _build(path, shape, lambda n: decode(Path(root) / names[n], pixels, squeeze))
        found = _open(path, shape)
    if found is None:
        raise LetheError(f"{path} changed while it was written; check the disk, then repeat")
    return found


def decode(path: Path, pixels: int, squeeze: bool = False) -> np.ndarray:
    """Return an image file as uint8 [pixels, pixels, 3]; LetheError where it cannot be read."""
    try:
        with Image.open(path) as picture:
            upright = _rgb(ImageOps.exif_transpose(picture))
            if squeeze:
                return np.asarray(upright.resize((pixels, pixels), Image.Resampling.BICUBIC))
            return np.asarray(_square(upright, pixels))
    except FileNotFoundError:
        raise LetheError(f"no image {path}; restore it or take it out of the list") from None
    except LetheError as error:
        raise LetheError(f"image {path}: {error}") from None
    except Exception as error:  # a damaged file can raise anything from a decoder
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LetheError(f"image {path} cannot be read ({reason}); replace it") from None


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        return _from_16_bits(picture).convert("RGB")
    if picture.mode == "F":
        raise LetheError("pixels are floating-point numbers; save it with 8 or 16 bits")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _from_16_bits(picture: Image.Image) -> Image.Image:
    """Greyscale of 16 bits as 8, the nearest; Pillow's own conversion would clip at 255."""
    values = np.asarray(picture).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise LetheError("pixels are outside 0..65535; save it with 8 or 16 bits")
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


def _square(picture: Image.Image, pixels: int) -> Image.Image:
    short, long = sorted(picture.size)
    if long > LONGEST * short:
        raise LetheError(f"{picture.width} x {picture.height} is too elongated to be cut square")
    width, height = (int(pixels * side / short) for side in picture.size)
    resized = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = round((width - pixels) / 2), round((height - pixels) / 2)
    return resized.crop((left, top, left + pixels, top + pixels))


def _key(root: Path, names: Sequence[str], pixels: int, squeeze: bool) -> str:
    about = [VERSION, PIL.__version__, str(root.resolve()), pixels, squeeze]
    digest = hashlib.sha256(json.dumps(about).encode())
    for name in names:
        try:
            found = os.stat(root / name)
        except OSError:
            raise LetheError(
                f"no image {name!r} in {root}; restore it or take it out of the list"
            ) from None
        digest.update(json.dumps([name, found.st_size, found.st_mtime_ns]).encode())
    return digest.hexdigest()[:32]


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Wait while another process builds this array; the kernel frees the lock of a dead one."""
    import fcntl  # here: Python in a browser has none, and reads what is built

    try:
        with open(path, "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise LetheError(
            f"cannot write in {path.parent}: {error.strerror or error}; "
            "free or change the folder (LETHE_DATASETS), then repeat"
        ) from error


def _open(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The stored array, or None if there is none that is whole and unchanged."""
    try:
        expected = json.loads(path.with_suffix(".json").read_text())["sha256"]
        if file_sha256(path) != expected:
            return None
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return array if array.shape == shape and array.dtype == np.uint8 else None


def _build(path: Path, shape: tuple[int, ...], row: Callable[[int], np.ndarray]) -> None:
    """Write the rows to a temporary file and rename it; the file with its sha256 comes last."""
    part = path.with_suffix(".part")
    try:
        _write_rows(part, shape, row)
        digest = file_sha256(part)
        path.with_suffix(".json").unlink(missing_ok=True)
        os.replace(part, path)
        flush_folder(path.parent)
    except BaseException:
        discard(part)
        raise
    write_json(path.with_suffix(".json"), {"sha256": digest, "shape": list(shape)})


def _write_rows(part: Path, shape: tuple[int, ...], row: Callable[[int], np.ndarray]) -> None:
    with open(part, "wb") as file, ThreadPoolExecutor(os.cpu_count()) as pool:
        about = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, about)
        file.flush()
        start, size = file.tell(), int(np.prod(shape[1:]))

        def put(n: int) -> None:
            # not through a memory map: a full disk would end the process without a word
            data = np.ascontiguousarray(row(n)).data
            if os.pwrite(file.fileno(), data, start + n * size) != size:
                raise OSError("the disk is full")

        screen = Console(stderr=True)
        done = pool.map(put, range(shape[0]))
        quiet = not screen.is_terminal
        for _ in track(done, "decoding", shape[0], console=screen, disable=quiet):
            pass
        os.fsync(file.fileno())
