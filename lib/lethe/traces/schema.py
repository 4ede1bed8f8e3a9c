"""The trace schema, version 1: what a Dataset of traces holds and what its variables mean.

Dimensions (seed, epoch, sample); epoch 0 is after the head warm-up. `prediction` (class index, -1
missing), `loss` (cross-entropy, nats), `margin` (logit of the label minus the largest other),
`error_l2` (norm of softmax minus one-hot); floats are NaN where missing. Cost: one pass over them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from lethe.errors import LetheError
from lethe.traces.blocks import block_slices
from lethe.traces.checks import (
    ARRAYS,
    DIMS,
    METRICS,
    MISSING,
    SCHEMA_VERSION,
    check_column_name,
    class_names,
    validate,
)

CREATED_BY = "lethe.traces"


def from_arrays(
    prediction: np.ndarray,
    label: Sequence[int] | np.ndarray,
    *,
    loss: np.ndarray | None = None,
    margin: np.ndarray | None = None,
    error_l2: np.ndarray | None = None,
    metrics: Mapping[str, np.ndarray] | None = None,
    sample: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    epochs: Sequence[int] | None = None,
    classes: Sequence[str] | None = None,
    image_hash: Sequence[str] | None = None,
    columns: pd.DataFrame | None = None,
    view: str = "eval",
    dataset: str = "simulated",
    model: str = "simulated",
    preset: str = "simulated",
    config: Mapping[str, Any] | None = None,
    manifests: Sequence[Mapping[str, Any]] | None = None,
) -> xr.Dataset:
    """Build and validate a Dataset of traces from arrays.

    Shapes: `prediction`, `loss`, `margin`, `error_l2` [seed, epoch, sample], or [epoch, sample] for
    one seed; `label`, `sample` [sample]; each of `metrics` [seed, epoch]. Arrays left out are
    missing, not 0. Raises LetheError on any breach of the schema.
    """
    given = {"prediction": prediction, "loss": loss, "margin": margin, "error_l2": error_l2}
    arrays = {name: _three_dims(name, value) for name, value in given.items() if value is not None}
    shape = arrays["prediction"].shape
    label = np.asarray(label)
    classes = list(classes) if classes is not None else _numbered_classes(label, prediction)
    coords = {
        "seed": np.asarray(range(shape[0]) if seeds is None else seeds, dtype=np.int64),
        "epoch": np.asarray(range(shape[1]) if epochs is None else epochs, dtype=np.int64),
        "sample": _strings([f"s{i:06d}" for i in range(shape[2])] if sample is None else sample),
    }
    extra = {"label": label, "image_hash": [""] * len(label) if image_hash is None else image_hash}
    extra |= {} if columns is None else {str(name): columns[name] for name in columns}
    attrs = {"view": view, "dataset": dataset, "model": model, "preset": preset}
    attrs |= _json_attrs(classes, config or {}, manifests or [{}] * shape[0])
    _check_lengths(arrays, coords, extra, metrics or {})
    return validate(_assemble(arrays, coords, extra, metrics or {}, attrs))


def _json_attrs(classes: list[str], config: Mapping, manifests: Sequence) -> dict[str, str]:
    return {
        "schema_version": SCHEMA_VERSION,
        "created_by": CREATED_BY,
        "classes": json.dumps(classes, ensure_ascii=False),
        "config": json.dumps(dict(config), sort_keys=True, ensure_ascii=False),
        "manifests": json.dumps(list(manifests), sort_keys=True),
    }


def _three_dims(name: str, value: np.ndarray) -> np.ndarray:
    array = np.asarray(value)
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3:
        raise LetheError(f"{name} has {array.ndim} dimensions, expected (seed, epoch, sample)")
    if name != "prediction":
        return array if array.dtype.kind == "f" else array.astype(np.float32)
    if array.dtype.kind not in "iu":
        raise LetheError(f"prediction is {array.dtype}, expected whole numbers (-1 where missing)")
    return _int16(name, array)


def _int16(name: str, array: np.ndarray) -> np.ndarray:
    """A cast that refuses to wrap around."""
    if np.can_cast(array.dtype, np.int16):
        return array.astype(np.int16, copy=False)
    if array.size and np.abs(array.astype(np.int64)).max() > np.iinfo(np.int16).max:
        raise LetheError(f"{name} has a class index above {np.iinfo(np.int16).max}")
    return array.astype(np.int16)


def _numbered_classes(label: np.ndarray, prediction: np.ndarray) -> list[str]:
    largest = max(int(np.max(label, initial=0)), int(np.max(prediction, initial=0)))
    return [str(index) for index in range(largest + 1)]


def _strings(values: Any) -> np.ndarray:
    known = isinstance(values, pd.Series)  # a list of a million strings costs seconds
    series = values.astype(object) if known else pd.Series(list(values), dtype=object)
    return series.where(series.notna(), "").astype(str).to_numpy(dtype=str)


def _column(name: str, values: Any) -> np.ndarray:
    """A data set column as bool, number or string; a missing string is the empty string."""
    check_column_name(name)
    array = np.asarray(values)
    if name == "label" and array.dtype.kind in "iu":
        return _int16(name, array)
    return array if array.dtype.kind in "biuf" else _strings(values)


def _check_lengths(arrays: Mapping, coords: Mapping, extra: Mapping, metrics: Mapping) -> None:
    shape = tuple(len(coords[dim]) for dim in DIMS)
    for name, value in arrays.items():
        if value.shape != shape:
            raise LetheError(
                f"{name} has shape {value.shape}, expected {shape} (seed, epoch, sample)"
            )
    for name, value in extra.items():
        if len(value) != shape[2]:
            raise LetheError(f"{name} has {len(value)} entries for {shape[2]} samples")
    for name, value in metrics.items():
        if np.shape(value) != shape[:2]:
            raise LetheError(f"metric {name} has shape {np.shape(value)}, expected {shape[:2]}")


def _assemble(
    arrays: Mapping, coords: Mapping, extra: Mapping, metrics: Mapping, attrs: Mapping
) -> xr.Dataset:
    shape = arrays["prediction"].shape
    absent = np.broadcast_to(np.float32(np.nan), shape)
    data: dict[str, tuple] = {name: (DIMS, arrays.get(name, absent)) for name in ARRAYS}
    for name in dict.fromkeys((*METRICS, *metrics)):
        value = metrics.get(name, np.full(shape[:2], np.nan))
        data[name] = (DIMS[:2], np.asarray(value, dtype=np.float64))
    along = {name: ("sample", _column(name, value)) for name, value in extra.items()}
    return xr.Dataset(data, coords={**coords, **along}, attrs=dict(attrs))


def correct(ds: xr.Dataset) -> xr.DataArray:
    """Return prediction == label, bool (seed, epoch, sample), one byte a cell.

    Raises LetheError when a prediction is missing: missing is neither right nor wrong.
    """
    if "sample" not in ds.dims:
        return correct(ds.expand_dims("sample", axis=-1)).isel(sample=0)
    prediction, missing = ds["prediction"], 0
    values, axis = np.empty(prediction.shape, bool), prediction.get_axis_num("sample")
    for part, block in _blocks(ds):
        missing += int((block == MISSING).sum())
        right = block == block["label"]
        np.moveaxis(values, axis, -1)[..., part] = right.transpose(..., "sample").values
    if missing:
        raise LetheError(
            f"{missing} predictions are missing, so right or wrong is unknown; "
            "drop those samples with lethe.traces.complete(ds)"
        )
    result = prediction.drop_attrs(deep=False).drop_encoding().copy(deep=False, data=values)
    return result.rename("correct").assign_attrs(long_name="prediction equals label")


def count_missing(ds: xr.Dataset) -> int:
    """Return the number of predictions that are missing."""
    return sum(int((block == MISSING).sum()) for _, block in _blocks(ds))


def complete(ds: xr.Dataset) -> xr.Dataset:
    """Return the samples whose predictions are all there."""
    others = [dim for dim in DIMS[:2] if dim in ds.dims]
    whole = np.concatenate([(block != MISSING).all(others).values for _, block in _blocks(ds)])
    return ds.isel(sample=slice(None) if whole.all() else np.flatnonzero(whole))


def _blocks(ds: xr.Dataset) -> Iterator[tuple[slice, xr.DataArray]]:
    """The predictions of a slice of samples after another; a single one stays loaded in `ds`."""
    parts = list(block_slices(ds, ["prediction"])) if "sample" in ds.dims else [slice(None)]
    for part in parts:
        yield part, (ds if len(parts) == 1 else ds.isel(sample=part))["prediction"]


def match_samples(ds: xr.Dataset, samples: Iterable[str]) -> xr.Dataset:
    """Return the traces in the order of `samples`; LetheError names a foreign or missing id."""
    wanted = pd.Index([str(name) for name in samples])
    if wanted.has_duplicates:
        raise LetheError(f"sample {wanted[wanted.duplicated()][0]!r} occurs more than once")
    found = ds.indexes["sample"]
    if found.equals(wanted):
        return ds
    foreign, missing = found.difference(wanted), wanted.difference(found)
    if len(foreign) or len(missing):
        example = f"{foreign[0]!r} is foreign" if len(foreign) else f"{missing[0]!r} has no trace"
        raise LetheError(
            f"these traces ({ds.attrs.get('dataset')}) are not of this data set: "
            f"{len(foreign)} foreign and {len(missing)} missing sample ids, e.g. {example}"
        )
    return ds.sel(sample=wanted.to_numpy(dtype=str))


def describe(ds: xr.Dataset) -> dict[str, Any]:
    """Return what a reader asks first: source, sizes, view, final test accuracy, missing cells."""
    final = ds["test_accuracy"].isel(epoch=-1).values
    return {
        "dataset": ds.attrs["dataset"],
        "model": ds.attrs["model"],
        "preset": ds.attrs["preset"],
        "view": ds.attrs["view"],
        "seeds": ds.sizes.get("seed", 1),
        "epochs": ds.sizes["epoch"],
        "samples": ds.sizes["sample"],
        "classes": len(class_names(ds)),
        "test_accuracy": None if np.isnan(final).all() else float(np.nanmean(final)),
        "missing": count_missing(ds),
        "training_seconds": _seconds_a_run(ds, "seconds"),
        "clean_pass_seconds": _seconds_a_run(ds, "record_seconds"),
        "source": ds.encoding.get("source", ""),
        "sha256": fingerprint(ds),
    }


def fingerprint(ds: xr.Dataset) -> str:
    """Return what tells the store behind `ds` from any other; empty for traces in memory.

    The SHA-256 of the file where `open_traces` read it whole, else `zip-` and the SHA-256 of the
    names, sizes and CRC-32s of its members: enough against mistakes, not against malice.
    """
    if "sha256" in ds.encoding:
        return ds.encoding["sha256"]
    digest = ds.encoding.get("directory_sha256")
    return f"zip-{digest}" if digest else ""


def _seconds_a_run(ds: xr.Dataset, name: str) -> float | None:
    """Seconds of a metric summed over the epochs, mean over the seeds; None if not noted."""
    if name not in ds or bool(ds[name].isnull().all()):
        return None
    return round(float(ds[name].sum("epoch").mean()), 1)
