"""The compact store: the runs of all seeds in one file, opened lazily as an xarray.Dataset.

`lethe.traces.packing` says what is in the file. It lies on a disk or at a URL (s3://, gs://,
https://), from which only the chunks in use are fetched; each is checked against its checksum.
Cost: 10 seeds x 31 epochs x 6,200 samples are 10.4 MB and take 0.3 s to read whole.
"""

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xarray as xr

from lethe.errors import LetheError, nearest
from lethe.paths import data_folder, why_missing
from lethe.traces import files, places
from lethe.traces.checks import validate
from lethe.traces.members import Members
from lethe.traces.schema import match_samples

SUFFIX = ".zarr.zip"
SEED_KEYS = ("seed", "seeds")  # of a configuration; all else is the same in the runs of a store
WHOLE = 2**28  # bytes; a file up to this size is checked in full when it is opened


def traces_folder(root: Path | str | None = None) -> Path:
    """The folder of the stores: `root`, else `traces` in the data folder (LETHE_DATA or `data`)."""
    return Path(root) if root else data_folder() / "traces"


def list_traces(root: Path | str | None = None) -> list[str]:
    """The names of the stores in the traces folder, or at a URL given as `root`, sorted."""
    if root and places.is_url(root):
        names = [places.name_of(path) for path in places.listed(str(root))]
    else:
        names = [path.name for path in traces_folder(root).glob(f"*{SUFFIX}")]
    return sorted(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))


def find_store(name_or_path: str | Path, root: Path | str | None = None) -> Path | str:
    """Path or URL of a store given so or by name; raises LetheError with the nearest known name."""
    if places.is_url(name_or_path):
        if not str(name_or_path).endswith(SUFFIX):
            raise LetheError(f"{name_or_path} names no trace store; expected .../NAME{SUFFIX}")
        return str(name_or_path)
    path = Path(name_or_path)
    if path.name.endswith(SUFFIX) or len(path.parts) > 1:
        if not path.is_file():
            raise LetheError(f"there is no trace store {path}; expected a file NAME{SUFFIX}")
        return path
    known, folder = list_traces(root), root or traces_folder()
    if str(name_or_path) not in known:
        hint = nearest(str(name_or_path), known) + why_missing()
        raise LetheError(f"unknown traces {str(name_or_path)!r} in {folder}; {hint}")
    file = f"{name_or_path}{SUFFIX}"
    return f"{folder}/{file}" if places.is_url(folder) else Path(folder) / file


def open_traces(
    name_or_path: str | Path,
    root: Path | str | None = None,
    samples: Iterable[str] | None = None,
) -> xr.Dataset:
    """Open a store lazily by name, such as glyphs-test_resnet-quick, or by path or URL.

    `root` is the traces folder. With `samples` the traces come in that order and must be of exactly
    these sample ids. Floats come as float64. `encoding` has the `source` and `sha256`, that of the
    file; above 256 MB or at a URL `directory_sha256` stands in its place (see `fingerprint`), and a
    chunk is checked when it is read. Raises LetheError when the store is unknown, truncated,
    corrupt or of another schema.
    """
    place = find_store(name_or_path, root)
    whole = isinstance(place, Path) and place.stat().st_size <= WHOLE
    if whole:
        verify_store(place)
    ds = read_zip(place)
    validate(ds, values=False)
    ds.encoding["source"] = str(place)
    if whole:
        ds.encoding["sha256"] = files.file_sha256(Path(place))
    return ds if samples is None else match_samples(ds, samples)


def read_zip(place: str | Path, **options: Any) -> xr.Dataset:
    """The Dataset in a zip, lazily; raises LetheError when it is incomplete or holds no traces."""
    members = _members(place)
    try:
        ds = xr.open_zarr(members, chunks=None, consolidated=True, **options)
    except LetheError:
        raise
    except (OSError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise LetheError(f"{place} holds no traces ({reason}); compact the runs again") from None
    ds.encoding["directory_sha256"] = members.directory_sha256()
    return ds


def _members(place: str | Path) -> Members:
    try:
        if not places.is_url(place):
            return Members(place)
        with places.explained(str(place)):
            return Members(place)
    except (OSError, zipfile.BadZipFile) as error:
        raise LetheError(
            f"{place} is not a complete trace store ({error}); copy or compact it again"
        ) from None


def verify_store(name_or_path: Path | str) -> None:
    """Raise LetheError unless the store is complete and every byte fits its checksum."""
    members = _members(name_or_path)
    try:
        for name in members.entries:
            members.read(name)
    finally:
        members.close()
