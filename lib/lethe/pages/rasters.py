"""Retention rasters: one row per sample, one stretch per state, so 300 lives fit in a chart.

States (book, "Definitions"): not learned yet, right, lost again (wrong after first_learned).
"""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from lethe.errors import LetheError
from lethe.pages.chart_tables import thinned
from lethe.pages.render import COLORS, finished, limited

STATES = ["not learned yet", "right", "lost again"]
STATE_SCALE = alt.Scale(domain=STATES, range=["#B9BEC4", COLORS["blue"], COLORS["orange"]])


def states(correct: np.ndarray) -> np.ndarray:
    """Return 0 (not learned yet), 1 (right) or 2 (lost again) for `correct` [..., epoch]."""
    correct = np.asarray(correct, dtype=bool)
    learned = np.maximum.accumulate(correct, axis=-1)
    return np.where(correct, 1, np.where(learned, 2, 0))


def _checked(correct: np.ndarray) -> np.ndarray:
    correct = np.asarray(correct, dtype=bool)
    if correct.ndim != 2 or 0 in correct.shape:
        raise LetheError(f"a raster needs correct[sample, epoch], not shape {correct.shape}")
    return correct


def stretches(correct: np.ndarray) -> pd.DataFrame:
    """Return one row per unbroken state of `correct` [sample, epoch]: row, start, stop, state."""
    state = states(_checked(correct))
    row, start = np.nonzero(np.diff(state, axis=1, prepend=-1))
    last = np.append(row[1:] != row[:-1], True)
    stop = np.where(last, state.shape[1], np.append(start[1:], 0))
    names = np.array(STATES)[state[row, start]]
    return pd.DataFrame({"row": row, "start": start, "stop": stop, "state": names})


def raster(
    correct: np.ndarray,
    *,
    title: str,
    description: str,
    names: Sequence[str] | None = None,
    sort: bool = True,
    row_title: str = "sample",
    height: int = 420,
) -> alt.Chart:
    """Draw `correct` [sample, epoch]: blue where right, orange where lost again, grey before.

    With `sort`, samples that are right most often come first. `names` are shown on hovering.
    """
    correct = _checked(correct)
    order = np.argsort(-correct.sum(axis=1), kind="stable") if sort else np.arange(len(correct))
    table = drawn(correct[order])
    labels = np.arange(len(correct)) if names is None else np.asarray(names, dtype=object)
    table[row_title] = [str(labels[order[row]]) for row in table["row"]]
    y_scale = alt.Scale(domain=[0, len(correct)], reverse=True, nice=False)
    y_axis = alt.Axis(grid=False, format="d", tickMinStep=1)
    chart = alt.Chart(limited(table)).mark_rect()
    chart = chart.encode(
        x=epochs_axis(correct),
        x2="right:Q",
        y=alt.Y("row:Q", title=row_title, axis=y_axis, scale=y_scale),
        y2="below:Q",
        color=alt.Color("state:N", scale=STATE_SCALE, legend=alt.Legend(title=None, orient="top")),
        tooltip=[f"{row_title}:N", "state:N", "first:Q", "last:Q"],
    )
    return finished(chart, title, description, height, *_shares(correct))


def _shares(correct: np.ndarray) -> tuple[dict[str, list[str]], str]:
    """The share of samples in each state by epoch, in words, and which epochs they are."""
    state = states(correct)
    shares = {name: (state == code).mean(axis=0) for code, name in enumerate(STATES)}
    kept, note = thinned(pd.DataFrame({"epoch": np.arange(correct.shape[1])} | shares))
    words = {name: [f"{share:.1%}" for share in kept[name]] for name in STATES}
    note = f"Share of the {len(correct)} rows in each state. {note}".strip()
    return {"epoch": list(map(str, kept["epoch"]))} | words, note


def drawn(correct: np.ndarray) -> pd.DataFrame:
    """The stretches of `correct` [sample, epoch] as boxes; an epoch is centred on its number."""
    table = stretches(correct)
    boxes = {"left": table["start"] - 0.5, "right": table["stop"] - 0.5, "below": table["row"] + 1}
    spans = {"first": table["start"], "last": table["stop"] - 1}
    return table[["row", "state"]].assign(**boxes, **spans)


def epochs_axis(correct: np.ndarray) -> alt.X:
    """The x axis of a raster: whole epochs."""
    scale = alt.Scale(domain=[-0.5, correct.shape[1] - 0.5], nice=False)
    axis = alt.Axis(format="d", tickMinStep=1, grid=False)
    return alt.X("left:Q", title="epoch", scale=scale, axis=axis)
