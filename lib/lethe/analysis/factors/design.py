"""The runs of a pick-freeze design, and the pairs of runs that are compared.

A block has nine runs (definition: study `factorial`): `base` and `other` share no draw; the run
named after a source shares that source with `other` and everything else with `base`; three
controls share every draw with `base`. A block compares the samples that all its runs trained on:
those in both splits. Cost: 5 MB and 0.2 s for 12 blocks of 3,100 samples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from lethe.analysis import arms, scores
from lethe.errors import LetheError, nearest

SOURCES = ("split", "init", "order", "augment")
CONTROLS = ("rerun", "rounding", "bit")
RUNS = ("base", "other", *SOURCES, *CONTROLS)
NOTHING, EVERYTHING = "nothing varies", "everything varies"
PAIRS = {  # the two runs behind each kind of pair, from what varies least to what varies most
    NOTHING: ("base", "rerun"),
    "one bit flipped": ("base", "bit"),
    "other rounding": ("base", "rounding"),
    **{f"only {source} varies": ("base", source) for source in SOURCES},
    **{f"only {source} is shared": ("other", source) for source in SOURCES},
    EVERYTHING: ("base", "other"),
}


@dataclass(frozen=True)
class Design:
    """Runs of one network: correct bool [block, run, epoch, pool], drawn bool [block, run, pool],
    label and position in the train split int [pool]; runs in the order of RUNS, or as said.
    """

    blocks: np.ndarray
    correct: np.ndarray
    drawn: np.ndarray
    label: np.ndarray
    position: np.ndarray

    @property
    def common(self) -> np.ndarray:
        """Which samples all runs of a block trained on: bool [block, pool]."""
        return np.asarray(self.drawn.all(axis=1))

    def until(self, epoch: int) -> Design:
        """The same runs as if they had ended after an epoch; LetheError if it is not there."""
        last = self.correct.shape[2] - 1
        if not 1 <= epoch <= last:
            raise LetheError(f"no epoch {epoch}: the runs have epochs 1 to {last}")
        return replace(self, correct=self.correct[:, :, : epoch + 1])


def read_design(table: pd.DataFrame, model: str, root: Path | str | None = None) -> Design:
    """The runs of a network under its own learning rate, from the study's table and arrays.

    LetheError for an unknown network, a block with a run missing, and a `rerun` that is not its
    `base` bit for bit: then the draws are not all that decides, and no pair means what it says.
    """
    rows = arms.only(table, model=model)
    rows = rows[rows["learning_rate"].isna()] if "learning_rate" in rows else rows
    tasks = whole_blocks(rows, RUNS)
    check_rerun(rows)
    return checked(unpacked(tasks, root))


def whole_blocks(rows: pd.DataFrame, runs: tuple[str, ...]) -> pd.DataFrame:
    """The tasks of every block: [block, run]; LetheError if a block has a run missing."""
    tasks = rows.pivot(index="block", columns="run", values="task").reindex(columns=runs)
    missing = tasks.isna()
    if missing.any(axis=None):
        block = missing.index[missing.any(axis=1)][0]
        run = missing.columns[missing.loc[block]][0]
        raise LetheError(f"block {block} has no run {run!r}: expected {', '.join(runs)}")
    return tasks


def unpacked(tasks: pd.DataFrame, root: Path | str | None = None) -> Design:
    """The arrays of tasks [block, run], runs in the order of the columns."""
    names = tasks.to_numpy().ravel().tolist()
    stored = {key: arms.read_arrays("factorial", key, names, root) for key in STORED}
    label, position = stored["label"][0], stored["position"][0]
    bits = [np.unpackbits(stored[key], axis=-1, count=label.size) for key in ("correct", "drawn")]
    correct, drawn = (b.reshape(*tasks.shape, *b.shape[1:]).astype(bool) for b in bits)
    return Design(tasks.index.to_numpy(), correct, drawn, label, position)


STORED = ("correct", "drawn", "label", "position")


def check_rerun(rows: pd.DataFrame) -> None:
    """LetheError unless the weights of every `rerun` are those of its `base`."""
    weights = rows.pivot(index="block", columns="run", values="weights")
    odd = weights.index[weights["base"] != weights["rerun"]]
    if len(odd):
        raise LetheError(f"block {odd[0]}: the same run twice ended with other weights")


def checked(design: Design) -> Design:
    """The design; LetheError for equal runs that differ and a block without common samples."""
    base, rerun = (design.correct[:, RUNS.index(run)] for run in PAIRS[NOTHING])
    if not np.array_equal(base, rerun):
        raise LetheError("a run and its rerun have different traces: nothing can be compared")
    empty = design.blocks[~design.common.any(axis=1)]
    if len(empty):
        raise LetheError(f"block {empty[0]}: its two splits have no sample in common")
    return design


def share_wrong(correct: np.ndarray) -> np.ndarray:
    """Share of epochs at which a sample was wrong, also for those never learned: [..., sample]."""
    return 1 - np.asarray(correct, bool).mean(-2)


def scored(correct: np.ndarray, score: str) -> np.ndarray:
    """A score of `correct` bool [..., epoch, sample], higher = more forgotten: [..., sample].

    `score`: one that needs right and wrong only, or `share_wrong`. LetheError for another.
    """
    if score == "share_wrong":
        return share_wrong(correct)
    known = [name for name, entry in scores.SCORES.items() if entry.needs == "correct"]
    if score not in known:
        raise LetheError(f"no score {score!r} here: {nearest(score, [*known, 'share_wrong'])}")
    return scores.SCORES[score].direction * scores.SCORES[score].compute(correct)


def values(design: Design, score: str) -> np.ndarray:
    """A score [block, run, pool] as `scored`; NaN for all runs of a block where one of them did not
    train on the sample or has no value for it.

    LetheError for a score that is the same for all samples of a run.
    """
    found = scored(design.correct, score)
    whole = design.common & np.isfinite(found).all(axis=1)
    found = np.where(whole[:, None], found, np.nan)
    for block, rows, seen in zip(design.blocks, found, whole, strict=True):
        if not seen.any() or (np.ptp(rows[:, seen], axis=1) == 0).any():
            raise LetheError(f"block {block}: {score} is the same for all samples of a run")
    return found


def ever_forgotten(design: Design) -> np.ndarray:
    """Samples that some run of their block forgot at least once: bool [block, pool]."""
    events = scores.forgetting_events(design.correct)
    return design.common & (np.nan_to_num(events) > 0).any(axis=1)
