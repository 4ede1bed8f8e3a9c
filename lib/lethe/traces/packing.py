"""Compaction: the logs of several seeds become one store, one array of one seed at a time.

A store is a Zarr (format 2) group in an uncompressed zip: float16 loss, margin and error_l2, int16
prediction, in chunks of one seed x all epochs x some samples, byte-shuffled and compressed by zstd.
It is written to a temporary file, compared with the logs value by value, and only then renamed.
Memory: 4 bytes x epochs x samples, and the ids. Cost: 10 seeds x 31 epochs x 6,200 samples take 5 s
and 10.4 MB; a large store is packed at a lower level, 25 times faster for 1 % more bytes.
"""

import json
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numcodecs
import numpy as np
import xarray as xr
import zarr
from zarr.core.buffer.cpu import Buffer
from zarr.storage import MemoryStore

from lethe.errors import LetheError
from lethe.traces import files, places
from lethe.traces.checks import ARRAYS, DIMS, FLOATS, validate
from lethe.traces.commits import first_difference, is_finished
from lethe.traces.read import read_array, read_header
from lethe.traces.store import SEED_KEYS, SUFFIX, read_zip

TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # the zip format's first moment: equal traces give equal bytes
KEPT = dict.fromkeys(FLOATS, np.float16) | {"prediction": np.int16}


@dataclass(frozen=True)
class Packing:
    """How the arrays are cut and compressed."""

    samples_per_chunk: int
    level: int  # of zstd in Blosc; 9 is its highest
    column: int | None = None  # bytes in a chunk of ids or labels; None: as Zarr has it


SMALL, LARGE = Packing(5000, 9), Packing(20_000, 5, 2**28)  # few requests open a large store
LARGE_CELLS = 20_000_000  # seeds x epochs x samples; below it packing tightly takes seconds


def compact(run_folders: Sequence[Path | str], out: Path | str, view: str = "eval") -> Path | str:
    """Write the runs of several seeds into one store and check it against their logs.

    `out` is a file or a URL such as s3://bucket/NAME.zarr.zip; it is returned. Raises LetheError
    when a run is unfinished, when two differ in samples, epochs or any configuration but the seeds,
    or when the store cannot be written. Equal logs give equal bytes.
    """
    if not str(out).endswith(SUFFIX):
        raise LetheError(f"a store is called NAME{SUFFIX}, not {places.name_of(out)!r}")
    folders = sorted((Path(folder) for folder in run_folders), key=_seed_of)
    if not folders:
        raise LetheError("there are no run folders to compact")
    header = join_headers(folders, view)
    if places.is_url(out):
        with tempfile.TemporaryDirectory() as folder:
            made = _write(Path(folder) / places.name_of(out), header, folders, view)
            places.upload(made, str(out))
        return str(out)
    files.make_folder(Path(out).parent)
    return _write(Path(out), header, folders, view)


def _write(out: Path, header: xr.Dataset, folders: Sequence[Path], view: str) -> Path:
    def read(array: str, position: int) -> np.ndarray:
        return read_array(folders[position], header, array, KEPT[array])

    with files.replacement(out) as file:
        write_zip(file, members(header, read))
        file.flush()
        compare(Path(file.name), out, folders, view)
    return out


def _seed_of(folder: Path) -> int:
    return int(files.read_json(folder / "manifest.json")["config"]["seed"])


def finished_header(folder: Path, view: str) -> xr.Dataset:
    """All of a finished run but its arrays; raises LetheError when it is not finished."""
    if not is_finished(folder):
        raise LetheError(f"{folder} is not finished; give its capture command again, then compact")
    return read_header(folder, view)


def join_headers(folders: Sequence[Path], view: str) -> xr.Dataset:
    """The headers of the runs along `seed`; LetheError unless they are seeds of one run."""
    first = finished_header(folders[0], view)
    runs = [first.drop_dims("sample")]
    seen = {first["seed"].item(): folders[0]}
    for folder in folders[1:]:
        run = finished_header(folder, view)
        check_agree(folders[0], first, folder, run)
        seed = run["seed"].item()
        if seed in seen:
            raise LetheError(f"{folder} and {seen[seed]} have the same seed {seed}")
        seen[seed] = folder
        runs.append(run.drop_dims("sample"))  # the ids once, not once a seed
    joined = _concatenate(runs)
    alone = {
        name: value.variable for name, value in first.coords.items() if "seed" not in value.dims
    }
    return joined.assign_coords(alone)


def _concatenate(runs: list[xr.Dataset]) -> xr.Dataset:
    joined = xr.concat(
        runs,
        "seed",
        data_vars="minimal",
        coords="minimal",
        compat="override",
        join="override",
        combine_attrs="override",
    )
    joined.attrs["config"] = json.dumps(
        _without_seeds(runs[0].attrs["config"]), sort_keys=True, ensure_ascii=False
    )
    manifests = [manifest for run in runs for manifest in json.loads(run.attrs["manifests"])]
    joined.attrs["manifests"] = json.dumps(manifests, sort_keys=True, ensure_ascii=False)
    return joined


def check_agree(first_folder: Path, first: xr.Dataset, folder: Path, run: xr.Dataset) -> None:
    """Raise LetheError naming the first thing but the seed in which two runs differ."""
    here, there = (_without_seeds(ds.attrs["config"]) for ds in (first, run))
    difference = first_difference(there, here, "config")
    if not difference:
        difference = first_difference(run.attrs["classes"], first.attrs["classes"], "classes")
    for dim in ("sample", "epoch"):
        if not difference and not run.indexes[dim].equals(first.indexes[dim]):
            difference = f"their {dim}s differ ({run.sizes[dim]} there, {first.sizes[dim]} here)"
    for name in ("label", "image_hash"):
        if not difference and not run[name].equals(first[name]):
            difference = f"their {name}s differ"
    if difference:
        raise LetheError(f"{folder} and {first_folder} are not seeds of one run: {difference}")


def _without_seeds(config: str) -> dict:
    return {key: value for key, value in json.loads(config).items() if key not in SEED_KEYS}


def members(
    header: xr.Dataset, read: Callable[[str, int], np.ndarray]
) -> Iterator[tuple[str, bytes]]:
    """The members of the zip in the order of their names; `read(array, position)` gives an array
    [epoch, sample] of the seed at a position when it is due.
    """
    small = header_members(header)
    positions = sorted(range(header.sizes["seed"]), key=lambda position: f"{position}.")
    for name in sorted([*small, *(f"{array}/0" for array in ARRAYS)]):
        if name in small:
            yield name, small[name]
            continue
        array = name.removesuffix("/0")
        for position in positions:
            yield from chunk_members(small, array, position, read(array, position))


def packing_of(header: xr.Dataset) -> Packing:
    """Tight for a small store, fast for a large one."""
    cells = header.sizes["seed"] * header.sizes["epoch"] * header.sizes["sample"]
    return SMALL if cells <= LARGE_CELLS else LARGE


def header_members(header: xr.Dataset) -> dict[str, bytes]:
    """Everything but the chunks of the arrays, by name."""
    packing = packing_of(header)
    codec = numcodecs.Blosc(cname="zstd", clevel=packing.level, shuffle=numcodecs.Blosc.SHUFFLE)
    outline = _zarr_members(_outline(header), _encoding(header, packing, codec))
    made = _zarr_members(header, _header_encoding(header, packing, codec))
    made |= {name: data for name, data in outline.items() if name.endswith(".zattrs")}
    shape = [header.sizes[dim] for dim in DIMS]
    for name in ARRAYS:
        meta = json.loads(outline[f"{name}/.zarray"]) | {"shape": shape}
        made[f"{name}/.zarray"] = json.dumps(meta, indent=2).encode()
    return _consolidated(made)


def _outline(header: xr.Dataset) -> xr.Dataset:
    """One sample of one seed, arrays included: all that xarray needs to name their attributes."""
    one = header.isel(seed=[0], sample=[0])
    shape = tuple(one.sizes[dim] for dim in DIMS)
    arrays = {name: (DIMS, np.zeros(shape, KEPT[name])) for name in ARRAYS}
    return one.assign(arrays)[[*ARRAYS, *header.data_vars]]


def _encoding(header: xr.Dataset, packing: Packing, codec: numcodecs.Blosc) -> dict[str, dict]:
    encoding: dict = {name: {"compressors": codec} for name in ARRAYS}
    encoding |= _header_encoding(header, packing, codec)
    pieces = -(-header.sizes["sample"] // packing.samples_per_chunk)
    for name in ARRAYS:
        encoding[name]["chunks"] = (1, header.sizes["epoch"], -(-header.sizes["sample"] // pieces))
    for name in FLOATS:
        # float16 is for keeping, not for sums: a scale factor makes xarray hand out float64
        encoding[name] |= {"dtype": "float16", "scale_factor": 1.0, "_FillValue": None}
    return encoding


def _header_encoding(
    header: xr.Dataset, packing: Packing, codec: numcodecs.Blosc
) -> dict[str, dict]:
    encoding: dict = {str(name): {"compressors": codec} for name in header.variables}
    for name, variable in header.variables.items() if packing.column else ():
        if variable.dims == ("sample",):
            most = packing.column // variable.dtype.itemsize
            encoding[str(name)]["chunks"] = (min(header.sizes["sample"], most),)
    return encoding


def _zarr_members(ds: xr.Dataset, encoding: Mapping[str, dict]) -> dict[str, bytes]:
    found: dict = {}
    ds.to_zarr(MemoryStore(found), zarr_format=2, consolidated=False, encoding=encoding)
    return {name: buffer.to_bytes() for name, buffer in found.items()}


def _memory(members: Mapping[str, bytes]) -> dict:
    return {name: Buffer.from_bytes(data) for name, data in members.items()}


def _consolidated(members: Mapping[str, bytes]) -> dict[str, bytes]:
    found = _memory(members)
    zarr.consolidate_metadata(MemoryStore(found), zarr_format=2)
    return {name: buffer.to_bytes() for name, buffer in found.items()}


def chunk_members(
    small: Mapping[str, bytes], array: str, position: int, values: np.ndarray
) -> Iterator[tuple[str, bytes]]:
    """The chunks of one array of one seed, compressed on all cores, in the order of their names."""
    meta = {".zarray": small[f"{array}/.zarray"]}
    found = _memory(meta)
    zarr.open_array(MemoryStore(found), zarr_format=2)[position] = values
    for name in sorted(found.keys() - meta.keys()):
        yield f"{array}/{name}", found.pop(name).to_bytes()


def write_zip(file: IO[bytes], members: Iterable[tuple[str, bytes]]) -> None:
    """Write members one after another, uncompressed; equal members give equal bytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members:
            entry = zipfile.ZipInfo(name, TIMESTAMP)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, data)


def compare(made: Path, out: Path, folders: Sequence[Path], view: str) -> None:
    """Read the file and the logs again; raise LetheError unless they agree in every value."""
    with read_zip(made, mask_and_scale=False) as store:
        validate(store)
        for position, folder in enumerate(folders):
            header = finished_header(folder, view)
            for name in (*map(str, header.variables), *ARRAYS):
                if not _same(store.isel(seed=[position]), header, folder, name):
                    raise LetheError(
                        f"{out} differs from {folder} in {name}; compact again, keep the log"
                    )


def _same(store: xr.Dataset, header: xr.Dataset, folder: Path, name: str) -> bool:
    """Whether a variable of one seed holds in the store what it holds in the log."""
    found = store[name].values
    if name in ARRAYS:  # as bits: NaN is like NaN
        expected = read_array(folder, header, name, KEPT[name])[None]
        return np.array_equal(expected.view(np.int16), found.view(np.int16))
    expected = header[name].values
    return np.array_equal(expected, found, equal_nan=expected.dtype.kind == "f")
