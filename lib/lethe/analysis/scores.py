"""One number per sample and seed, computed from a trace; each score knows its direction.

`correct` is bool [..., epoch, sample]; loss, margin and error_l2 are floats of the same shape.
NaN marks what is not defined (a sample never learned has no forgetting), never a number.
direction +1: higher = harder; -1: higher = easier. `harder` turns all of them the same way.
Cost: one pass over the trace, a block of samples at a time: about 100 MB beyond trace and result;
from a store `score` reads as it goes. The decay rates cost a fit (see `curves`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import numpy as np
import xarray as xr

from lethe import traces
from lethe.analysis import curves
from lethe.analysis.curves import batch
from lethe.analysis.curves.pooled import even_slices, pooled_rate
from lethe.errors import LetheError, nearest
from lethe.traces.blocks import block_slices
from lethe.traces.checks import FLOATS
from lethe.traces.known import is_known

DIMS = ("seed", "epoch", "sample")
CELLS = 1 << 23  # of a trace that are worked on at a time; as floats they take 64 MB
READ = 1 << 28  # bytes that are read from a store at a time

Compute = Callable[[np.ndarray], np.ndarray]


def by_blocks(compute: Compute) -> Compute:
    """`compute` on [..., epoch, sample], a block of samples at a time; the values do not change."""

    @wraps(compute)
    def blockwise(trace: np.ndarray) -> np.ndarray:
        trace = np.asarray(trace)
        blocks = -(-trace.size // CELLS)
        if blocks < 2:
            return compute(trace)
        parts = even_slices(trace.shape[-1], blocks)
        return np.concatenate([compute(trace[..., part]) for part in parts], axis=-1)

    return blockwise


def never_learned(correct: np.ndarray) -> np.ndarray:
    """Samples that were wrong at every epoch; bool [..., sample]."""
    return np.asarray(~np.asarray(correct, bool).any(-2))


@by_blocks
def first_learned(correct: np.ndarray) -> np.ndarray:
    """First epoch (index) at which each sample was right, NaN if never; float [..., sample]."""
    correct = np.asarray(correct, bool)
    return np.where(never_learned(correct), np.nan, correct.argmax(-2))


@by_blocks
def forgetting_events(correct: np.ndarray) -> np.ndarray:
    """Times a sample was right and then wrong at the next epoch, NaN if never learned.

    Returns float [..., sample]. Source: Toneva et al. 2019, per epoch instead of per batch.
    """
    correct = np.asarray(correct, bool)
    events = (correct[..., :-1, :] & ~correct[..., 1:, :]).sum(-2)
    return np.where(never_learned(correct), np.nan, events)


def never_forgotten(correct: np.ndarray) -> np.ndarray:
    """Samples that were learned and had no forgetting event; bool [..., sample]."""
    return forgetting_events(correct) == 0


@by_blocks
def mean_retention(correct: np.ndarray) -> np.ndarray:
    """Share of epochs right from first_learned on, NaN if never learned; float [..., sample]."""
    correct = np.asarray(correct, bool)
    since = correct.shape[-2] - first_learned(correct)
    return correct.sum(-2) / since


def decay_rate(correct: np.ndarray, method: str = "least_squares") -> np.ndarray:
    """Rate of the exponential forgetting curve of each sample, per epoch; float [..., sample].

    method is least_squares, bernoulli or shrunken (empirical Bayes, each seed by itself). NaN if
    fewer than two epochs follow from first_learned on. Raises LetheError for another method.
    """
    known = ("least_squares", "bernoulli", "shrunken")
    if method not in known:
        raise LetheError(f"unknown method {method!r}: {nearest(method, known)}")
    correct = np.asarray(correct, bool)
    if method == "shrunken":
        seeds = correct.reshape(-1, *correct.shape[-2:])
        rates = [pooled_rate(seed[None]) for seed in seeds]
        return np.stack(rates).reshape(*correct.shape[:-2], correct.shape[-1])
    if correct.size <= CELLS:
        return curves.fit_exponential(curves.retention_traces(correct)[0], method=method).rate
    return _decay_rate_blocks(correct, _MANY[method])


_MANY = {"least_squares": "exponential", "bernoulli": "exponential_likelihood"}


def _decay_rate_blocks(correct: np.ndarray, curve: str) -> np.ndarray:
    """The same rates for very many traces: on two threads, few of them as floats at a time."""
    parts = even_slices(correct.shape[-1], -(-correct.size // (16 * CELLS)))
    rates = [batch.fit_many(correct[..., part], curve).rate for part in parts]
    return np.concatenate(rates, axis=-1)


@by_blocks
def aum(margin: np.ndarray) -> np.ndarray:
    """Area under the margin: its mean over epochs (Pleiss et al. 2020); [..., sample]."""
    return np.asarray(margin, float).mean(-2)


def el2n(error_l2: np.ndarray, epoch: int) -> np.ndarray:
    """Norm of softmax minus one-hot at one epoch index (Paul et al. 2021); [..., sample].

    Raises LetheError if the trace has no such epoch.
    """
    epochs = np.shape(error_l2)[-2]
    if not 0 <= epoch < epochs:
        raise LetheError(f"EL2N at epoch {epoch}: the trace has epochs 0 to {epochs - 1}")
    return np.asarray(error_l2, float)[..., epoch, :]


@by_blocks
def confidence(loss: np.ndarray) -> np.ndarray:
    """Mean over epochs of exp(-loss), the label's probability (Swayamdipta et al. 2020)."""
    return np.exp(-np.asarray(loss, float)).mean(-2)


@by_blocks
def variability(loss: np.ndarray) -> np.ndarray:
    """Standard deviation over epochs of exp(-loss) (Swayamdipta et al. 2020); [..., sample]."""
    return np.exp(-np.asarray(loss, float)).std(-2)


def warmup_loss(loss: np.ndarray) -> np.ndarray:
    """Loss at epoch 0: after head warm-up, before full fine-tuning; [..., sample]."""
    return np.asarray(loss, float)[..., 0, :]


def final_loss(loss: np.ndarray) -> np.ndarray:
    """Loss at the last epoch; [..., sample]."""
    return np.asarray(loss, float)[..., -1, :]


@dataclass(frozen=True)
class Score:
    """A named score; compute maps `needs` (correct or a trace variable) to [seed, sample].

    `at`: the one epoch that it looks at, for scores of a single epoch. `joint`: a value depends on
    all samples of its seed, and not on the sample alone.
    """

    name: str
    title: str
    direction: int
    needs: str
    compute: Compute
    at: int | None = None
    joint: bool = False


_TABLE = [
    Score("forgetting_events", "forgetting events", 1, "correct", forgetting_events),
    Score("first_learned", "first learned (epoch)", 1, "correct", first_learned),
    Score("mean_retention", "mean retention", -1, "correct", mean_retention),
    Score("decay_rate", "decay rate, least squares", 1, "correct", decay_rate),
    Score(
        "decay_rate_bernoulli",
        "decay rate, likelihood",
        1,
        "correct",
        lambda correct: decay_rate(correct, "bernoulli"),
    ),
    Score(
        "decay_rate_shrunken",
        "decay rate, shrunken",
        1,
        "correct",
        lambda correct: decay_rate(correct, "shrunken"),
        joint=True,
    ),
    Score("aum", "area under the margin", -1, "margin", aum),
    Score("el2n_epoch_1", "EL2N at epoch 1", 1, "error_l2", lambda error: el2n(error, 0), at=1),
    Score("confidence", "mean confidence", -1, "loss", confidence),
    Score("variability", "variability of confidence", 1, "loss", variability),
    Score("warmup_loss", "warm-up loss", 1, "loss", warmup_loss, at=0),
    Score("final_loss", "final loss", 1, "loss", final_loss),
]
SCORES: dict[str, Score] = {entry.name: entry for entry in _TABLE}
"""Every score by its name, such as `forgetting_events`, `decay_rate`, `aum` or `el2n_epoch_1`."""


def score(ds: xr.Dataset, name: str) -> xr.DataArray:
    """Compute a named score from an opened trace, reading a large one a block at a time.

    Returns float [seed, sample] with attributes direction and title.
    Raises LetheError for an unknown name, naming the nearest, and for an epoch or a variable that
    the traces do not have.
    """
    if name not in SCORES:
        raise LetheError(f"unknown score {name!r}: {nearest(name, SCORES)}")
    entry, first = SCORES[name], int(ds["epoch"][0])
    if not has_variable(ds, entry):
        raise LetheError(
            f"{entry.title} needs {entry.needs}, which these traces do not have; "
            f"{nearest('', available(ds))}"
        )
    seen = ds
    if entry.at is not None:
        if not has_epoch(ds, entry):
            raise LetheError(
                f"{entry.title} is taken at epoch {entry.at}; these traces (view "
                f"{ds.attrs.get('view', 'eval')!r}) have epochs {first} to {int(ds['epoch'][-1])}"
            )
        seen = ds.isel(epoch=[entry.at - first])
    small = np.prod([seen.sizes[dim] for dim in DIMS]) <= CELLS
    values = _computed(seen, entry) if small else _streamed(seen, entry)
    if name == "first_learned":
        values = values + first  # the train view begins with epoch 1
    attrs = {"direction": entry.direction, "title": entry.title}
    coords = {"seed": ds["seed"], "sample": ds["sample"]}
    return xr.DataArray(values, coords, ("seed", "sample"), name=name, attrs=attrs)


def _computed(ds: xr.Dataset, entry: Score) -> np.ndarray:
    source = traces.correct(ds) if entry.needs == "correct" else ds[entry.needs]
    return entry.compute(source.transpose(*DIMS).values)


def _streamed(ds: xr.Dataset, entry: Score) -> np.ndarray:
    """The score [seed, sample] of a part of the traces after another."""
    if entry.joint:
        seeds = (ds.isel(seed=[k]) for k in range(ds.sizes["seed"]))
        return np.concatenate([_computed(seed, entry) for seed in seeds])
    needs = "prediction" if entry.needs == "correct" else entry.needs
    values = np.empty((ds.sizes["seed"], ds.sizes["sample"]))
    try:
        for part in block_slices(ds, (needs,), READ):
            alone = part.start == ds.sizes["sample"] - 1  # numpy adds up a single sample otherwise
            block = ds.isel(sample=slice(part.start - alone, part.stop))
            values[:, part] = _computed(block, entry)[:, int(alone) :]
    except LetheError:
        traces.correct(ds)  # counts all that is missing, not one block's
        raise
    return values


def has_epoch(ds: xr.Dataset, entry: Score) -> bool:
    """Whether the traces have the one epoch that a score looks at, if it looks at one."""
    return entry.at is None or entry.at in ds["epoch"].values


def has_variable(ds: xr.Dataset, entry: Score) -> bool:
    """Whether the traces have the variable that a score needs; traces from elsewhere may not."""
    return entry.needs == "correct" or is_known(ds, entry.needs)


def available(ds: xr.Dataset) -> dict[str, Score]:
    """The scores whose epoch and variable are there: the train view has no warm-up loss."""
    lacking = {needs for needs in FLOATS if not is_known(ds, needs)}
    return {
        name: entry
        for name, entry in SCORES.items()
        if has_epoch(ds, entry) and entry.needs not in lacking
    }


def harder(scored: xr.DataArray) -> xr.DataArray:
    """Turn a score so that higher means harder; raises LetheError if it has no direction."""
    if scored.attrs.get("direction") not in (1, -1):
        raise LetheError(f"score {scored.name!r} has no direction: make it with scores.score")
    turned = scored * scored.attrs["direction"]
    return turned.assign_attrs(scored.attrs, direction=1)


def all_scores(ds: xr.Dataset) -> xr.Dataset:
    """Every score whose epoch is there as one Dataset with dims (seed, sample)."""
    return xr.Dataset({name: score(ds, name) for name in available(ds)})
