"""Curve fits of 10^6 to 10^8 traces: identical 0/1 traces fitted once, blocks side by side.

0/1 traces are packed into 64-bit keys (up to 63 epochs) or keys of two words (up to 127); each
block of up to 524,288 rows fits its distinct keys. Other traces are fitted in pieces of 8,192 rows.
The fits are those of `curve_models`, and their bits do not depend on the number of threads.
Memory beyond the input: 48 bytes a trace for the result and about 100 MB a thread. `fit_blocks`
holds one block of a data set at a time; `correct_blocks` reads such blocks from a store.
Cost: about a microsecond of one core per distinct trace of 31 epochs, 50 ns per repeated one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from lethe.analysis.curves import curve_models, retention_traces
from lethe.analysis.curves.curve_models import CurveFit
from lethe.errors import LetheError, nearest

_ARRAYS = ("rate", "amplitude", "floor", "sse", "sst", "length")
_BLOCK = 1 << 19  # rows among which repeats are sought
_PIECE = 1 << 13  # rows that stay near the processor as floats

Fit = Callable[[np.ndarray], CurveFit]

_FITTERS: dict[str, Fit] = {
    "exponential": curve_models.fit_exponential,
    "exponential_likelihood": partial(curve_models.fit_exponential, method="bernoulli"),
    "extended": curve_models.fit_extended,
    "power": curve_models.fit_power,
}


def fit_many(traces: np.ndarray, curve: str = "extended", threads: int = 2) -> CurveFit:
    """Fit exponential, extended or power by least squares to very many traces.

    "exponential_likelihood" is the exponential by Bernoulli likelihood. traces: bool
    [..., epoch, sample], that is `correct`, for a result [..., sample]; or float [..., epoch],
    retention traces in [0, 1], NaN after the end. A memory map is read block by block. Raises
    LetheError for another type or shape, values outside [0, 1], an unknown curve, fewer than 1
    thread.
    """
    fit = _fitter(curve, threads)
    traces = traces if isinstance(traces, np.ndarray) else np.asarray(traces)
    if traces.dtype != bool and traces.dtype.kind != "f":
        raise LetheError(
            f"traces are of type {traces.dtype}: give bool [..., epoch, sample], which is correct, "
            "or float [..., epoch], which are retention traces"
        )
    if traces.dtype == bool:
        return _fit_correct(traces, fit, threads)
    return _fit_floats(traces, fit, threads)


def fit_blocks(
    blocks: Iterable[np.ndarray], curve: str = "extended", threads: int = 2
) -> Iterator[CurveFit]:
    """Fit block after block, each as in fit_many, for data larger than memory.

    Memory: one block and its result. Raises LetheError as fit_many does.
    """
    _fitter(curve, threads)
    return (fit_many(block, curve, threads) for block in blocks)


def correct_blocks(dataset: xr.Dataset, samples: int = 100_000) -> Iterator[np.ndarray]:
    """Read `correct` of an opened store some samples at a time: bool [seed, epoch, samples].

    dataset as open_traces gives it. Raises LetheError if samples is below 1.
    """
    if samples < 1:
        raise LetheError(f"samples is {samples}: give the size of a block, 1 or more")
    for start in range(0, dataset.sizes["sample"], samples):
        part = dataset.isel(sample=slice(start, start + samples))
        right = part["prediction"] == part["label"]
        yield right.transpose("seed", "epoch", "sample").values


def _fitter(curve: str, threads: int) -> Fit:
    if curve not in _FITTERS:
        raise LetheError(f"unknown curve {curve!r}: {nearest(curve, _FITTERS)}")
    if threads < 1:
        raise LetheError(f"threads is {threads}: give 1 or more")
    return _FITTERS[curve]


def _fit_correct(correct: np.ndarray, fit: Fit, threads: int) -> CurveFit:
    if correct.ndim < 2:
        raise LetheError("correct has one axis: give [..., epoch, sample]")
    *lead, epochs, samples = correct.shape
    runs = [correct[index] for index in np.ndindex(*lead)]

    def block(rows: slice) -> CurveFit:
        parts = []
        for run in range(rows.start // samples, -(-rows.stop // samples)):
            first = run * samples
            inside = slice(max(rows.start - first, 0), min(rows.stop - first, samples))
            parts.append(np.ascontiguousarray(runs[run][:, inside]))
        return _correct_block(parts, fit)

    return _fit_rows(block, (*lead, samples), epochs, fit, threads)


def _correct_block(parts: list[np.ndarray], fit: Fit) -> CurveFit:
    """Fit some arrays bool [epoch, sample] as one block."""
    from lethe.analysis.curves import row_kernels as kernels  # numba is slow to load

    epochs = len(parts[0])
    if epochs > kernels.WIDE_EPOCHS:
        pieces = [part[:, rows] for part in parts for rows in _slices(part.shape[1], _PIECE)]
        return _join([fit(retention_traces(piece)[0]) for piece in pieces])
    rows = sum(part.shape[1] for part in parts)
    wide = epochs > kernels.KEY_EPOCHS
    keys, start = np.empty((rows, 2) if wide else rows, np.uint64), 0
    pack = kernels.pack_correct_wide if wide else kernels.pack_correct
    for part in parts:
        pack(part.view(np.uint8), keys[start : start + part.shape[1]])
        start += part.shape[1]
    return _fit_keys(keys, epochs, fit)


def _fit_floats(traces: np.ndarray, fit: Fit, threads: int) -> CurveFit:
    if traces.ndim < 1:
        raise LetheError("traces have no axis: give [..., epoch]")
    *lead, epochs = traces.shape
    flat = traces.reshape(-1, max(epochs, 1))
    return _fit_rows(lambda rows: _float_block(flat[rows], fit), tuple(lead), epochs, fit, threads)


def _float_block(traces: np.ndarray, fit: Fit) -> CurveFit:
    """Fit float [row, epoch] through keys if all are 0/1 traces, else as they are."""
    from lethe.analysis.curves import row_kernels as kernels  # numba is slow to load

    pieces = [traces[rows] for rows in _slices(len(traces), _PIECE)]
    keys = np.empty(len(traces), np.uint64)
    if traces.shape[1] <= kernels.KEY_EPOCHS and all(
        kernels.pack_traces(np.ascontiguousarray(piece, float), keys[i * _PIECE :])
        for i, piece in enumerate(pieces)
    ):
        return _fit_keys(keys, traces.shape[1], fit)
    return _join([fit(piece) for piece in pieces])


def _fit_keys(keys: np.ndarray, epochs: int, fit: Fit) -> CurveFit:
    """Fit the distinct keys, [row] or [row, 2], and copy the answers to all."""
    from lethe.analysis.curves import row_kernels as kernels  # numba is slow to load

    wide = keys.ndim == 2
    columns = (keys[:, :1], keys[:, 1:]) if wide else ()
    keep, back = kernels.same_rows(*columns) if wide else kernels.same_keys(keys)
    unpack, fits = kernels.unpack_wide if wide else kernels.unpack, []
    for rows in _slices(len(keep), _PIECE):
        traces = np.empty((len(keep[rows]), epochs))
        unpack(keys[keep[rows]], traces)
        fits.append(fit(traces))
    found = _join(fits)
    return replace(found, **{name: getattr(found, name)[back] for name in _ARRAYS})


def _fit_rows(
    block: Callable[[slice], CurveFit], shape: tuple[int, ...], epochs: int, fit: Fit, threads: int
) -> CurveFit:
    """Run a fit over all blocks of rows and put the parts together in `shape`."""
    if epochs == 0:
        raise LetheError("the traces have no epochs: give at least 1")
    total = int(np.prod(shape))
    size = max(1, min(_BLOCK, -(-total // threads)))
    empty = fit(np.empty((0, epochs)))
    out = {name: np.empty(total, getattr(empty, name).dtype) for name in _ARRAYS}

    def work(rows: slice) -> None:
        found = block(rows)
        for name in _ARRAYS:
            out[name][rows] = getattr(found, name)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, _slices(total, size)))
    arrays: dict[str, Any] = {name: array.reshape(shape) for name, array in out.items()}
    return replace(empty, **arrays)


def _join(fits: list[CurveFit]) -> CurveFit:
    arrays: dict[str, Any]
    arrays = {name: np.concatenate([getattr(f, name) for f in fits]) for name in _ARRAYS}
    return replace(fits[0], **arrays)


def _slices(total: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, total)) for start in range(0, total, size)]
