"""The compact store: the runs of all seeds in one file, opened lazily as an xarray.Dataset.

A Zarr (format 2) group in an uncompressed zip: float16 loss, margin and error_l2, int16 prediction,
in chunks of one seed x all epochs x about 5,000 samples, byte-shuffled and compressed by zstd.
Cost: 10 seeds x 31 epochs x 6,200 samples take 10.4 MB, 5 s to compact and 0.3 s to read whole.
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numcodecs
import numpy as np
import xarray as xr
from zarr.storage import MemoryStore, ZipStore

from lethe.errors import LetheError, nearest
from lethe.paths import data_folder, why_missing
from lethe.traces import files
from lethe.traces.checks import FLOATS, validate
from lethe.traces.commits import first_difference, is_finished
from lethe.traces.read import read_seed
from lethe.traces.schema import match_samples

SUFFIX = ".zarr.zip"
SAMPLES_PER_CHUNK = 5000
TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # the zip format's first moment: equal traces give equal bytes
SEED_KEYS = ("seed", "seeds")


def compact(run_folders: Sequence[Path | str], out: Path | str, view: str = "eval") -> Path:
    """Write the runs of several seeds into one store and check it against their logs.

    Raises LetheError when a run is unfinished, when two differ in samples, epochs or any
    configuration but the seeds, or when the store cannot be written. Equal logs give equal bytes.
    """
    out = Path(out)
    if not out.name.endswith(SUFFIX):
        raise LetheError(f"a store is called NAME{SUFFIX}, not {out.name!r}")
    folders = sorted((Path(folder) for folder in run_folders), key=_seed_of)
    if not folders:
        raise LetheError("there are no run folders to compact")
    runs = [_read_compacted(folder, view) for folder in folders]
    for folder, run in zip(folders[1:], runs[1:]):
        _check_agree(folders[0], runs[0], folder, run)
    joined = _join(runs)
    files.make_folder(out.parent)
    files.write_atomically(out, _zip_bytes(_encode(joined)))
    try:
        _compare(out, folders, view)
    except LetheError:
        files.discard(out)
        raise
    return out


def _seed_of(folder: Path) -> int:
    return int(files.read_json(folder / "manifest.json")["config"]["seed"])


def _read_compacted(folder: Path, view: str) -> xr.Dataset:
    if not is_finished(folder):
        raise LetheError(f"{folder} is not finished; give its capture command again, then compact")
    run = read_seed(folder, view)
    return run.assign({name: run[name].astype(np.float16) for name in FLOATS})


def _check_agree(first_folder: Path, first: xr.Dataset, folder: Path, run: xr.Dataset) -> None:
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
    if run["seed"].item() == first["seed"].item():
        raise LetheError(f"{folder} and {first_folder} have the same seed {run['seed'].item()}")


def _without_seeds(config: str) -> dict:
    return {key: value for key, value in json.loads(config).items() if key not in SEED_KEYS}


def _join(runs: list[xr.Dataset]) -> xr.Dataset:
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
    return validate(joined)


def _encode(ds: xr.Dataset) -> Mapping[str, bytes]:
    """The members of the zip by name."""
    codec = numcodecs.Blosc(cname="zstd", clevel=9, shuffle=numcodecs.Blosc.SHUFFLE)
    encoding: dict = {name: {"compressors": codec} for name in ds.variables}
    pieces = -(-ds.sizes["sample"] // SAMPLES_PER_CHUNK)
    chunk = (1, ds.sizes["epoch"], -(-ds.sizes["sample"] // pieces))
    for name in ("prediction", *FLOATS):
        encoding[name]["chunks"] = chunk
    for name in FLOATS:
        # float16 is for keeping, not for sums: a scale factor makes xarray hand out float64
        encoding[name] |= {"dtype": "float16", "scale_factor": 1.0, "_FillValue": None}
    members: dict = {}
    ds.to_zarr(MemoryStore(members), zarr_format=2, consolidated=True, encoding=encoding)
    return {name: members[name].to_bytes() for name in sorted(members)}


def _zip_bytes(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, TIMESTAMP)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def _compare(out: Path, folders: list[Path], view: str) -> None:
    """Read the store and the logs again and raise LetheError unless they agree in every value."""
    store = open_traces(out)
    for position, folder in enumerate(folders):
        log, seed = _read_compacted(folder, view), store.isel(seed=[position]).load()
        for name in log.variables:
            expected, found = log[name].values, seed[name].values
            same = np.array_equal(expected, found, equal_nan=expected.dtype.kind == "f")
            if not same:
                raise LetheError(
                    f"{out} differs from {folder} in {name}; compact again, keep the log"
                )
    store.close()


def traces_folder(root: Path | str | None = None) -> Path:
    """The folder of the stores: `root`, else `traces` in the data folder (LETHE_DATA or `data`)."""
    return Path(root) if root else data_folder() / "traces"


def list_traces(root: Path | str | None = None) -> list[str]:
    """The names of the stores in the traces folder, sorted."""
    return sorted(path.name.removesuffix(SUFFIX) for path in traces_folder(root).glob(f"*{SUFFIX}"))


def find_store(name_or_path: str | Path, root: Path | str | None = None) -> Path:
    """The file of a store given by path or name; raises LetheError with the nearest known name."""
    path = Path(name_or_path)
    if path.name.endswith(SUFFIX) or len(path.parts) > 1:
        if not path.is_file():
            raise LetheError(f"there is no trace store {path}; expected a file NAME{SUFFIX}")
        return path
    known = list_traces(root)
    if str(name_or_path) not in known:
        hint = nearest(str(name_or_path), known) + why_missing()
        raise LetheError(f"unknown traces {str(name_or_path)!r} in {traces_folder(root)}; {hint}")
    return traces_folder(root) / f"{name_or_path}{SUFFIX}"


def open_traces(
    name_or_path: str | Path,
    root: Path | str | None = None,
    samples: Sequence[str] | None = None,
) -> xr.Dataset:
    """Open a store lazily by name, such as glyphs-test_resnet-quick, or path.

    `root` is the traces folder. With `samples` the traces come in that order and must be of exactly
    these sample ids. Path and SHA-256 are in `encoding`. Floats come as float64. Raises LetheError
    when the store is unknown, truncated, corrupt or of another schema.
    """
    path = find_store(name_or_path, root)
    verify_store(path)
    try:
        ds = xr.open_dataset(
            ZipStore(path, mode="r"), engine="zarr", chunks=None, consolidated=True
        )
    except (OSError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise LetheError(f"{path} holds no traces ({reason}); compact the runs again") from None
    validate(ds, values=False)
    ds.encoding.update(source=str(path), sha256=files.file_sha256(path))
    return ds if samples is None else match_samples(ds, samples)


def verify_store(path: Path | str) -> None:
    """Raise LetheError unless the store is complete and every byte fits its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (OSError, zipfile.BadZipFile) as error:
        raise LetheError(
            f"{path} is not a complete trace store ({error}); copy or compact it again"
        ) from None
    if broken:
        raise LetheError(f"{path} is damaged in {broken}; copy or compact it again")
