"""Pick a glyph and see its life in every seed and every network (the chart of the front page).

Picked by pointing at its row, or with the range input below the chart, which the keyboard reaches.

The lives travel as one string of states per (sample, run) and are unfolded in the browser for the
picked sample only, so a few hundred samples in twenty runs stay under 5,000 rows.
"""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from lethe.pages.chart_tables import thinned
from lethe.pages.rasters import STATE_SCALE, STATES, drawn, epochs_axis, states
from lethe.pages.render import INK, Layers, described, limited

STEPS = "glyph, from easy to hard"


def life_picker(
    lives: Mapping[str, np.ndarray],
    images: Sequence[str],
    names: Sequence[str],
    *,
    title: str,
    description: str,
) -> alt.HConcatChart:
    """Draw a raster of the first run and, for the row picked, its image and all its lives.

    `lives` maps a network's name to `correct` [seed, sample, epoch]; `images` are `data:` addresses
    (see `gallery.data_uri`) and `names` what to call each sample, both [sample].
    """
    first = next(iter(lives.values()))[0]
    order = np.argsort(-np.sum(first, axis=1), kind="stable")
    start = [{"row": int(0.9 * len(order))}]
    steps = alt.binding_range(min=0, max=len(order) - 1, step=1, name=STEPS)
    pick = alt.selection_point(
        name="pick",
        fields=["row"],
        on="pointerover, click",
        bind=steps,
        value=start,
        clear=False,
        empty=False,
    )
    ordered = {name: np.asarray(life)[:, order] for name, life in lives.items()}
    portrait = _portrait([images[k] for k in order], [names[k] for k in order], pick)
    details = [portrait, *(_lives(name, life, pick) for name, life in ordered.items())]
    chart = alt.hconcat(
        _overview(first[order], pick), alt.vconcat(*details, spacing=14), spacing=20
    )
    chart = chart.resolve_scale(color="shared")
    called = [names[k] for k in order]
    table, note = _numbers(ordered, called)
    more = {"table": table, "note": note, "steps": {STEPS: called}}
    return described(chart, title, description).properties(usermeta=more)


def _numbers(
    lives: Mapping[str, np.ndarray], names: Sequence[str]
) -> tuple[dict[str, list[str]], str]:
    """Each sample in words: how often it is right, and in how many seeds it is lost again."""
    kept, note = thinned(pd.DataFrame({"glyph": list(names)}))
    cells = {"glyph": kept["glyph"].tolist()}
    for name, correct in lives.items():
        right, lost = correct.mean(axis=(0, 2)), (states(correct) == 2).any(axis=2).sum(axis=0)
        cells[f"{name}: share of epochs right"] = [f"{right[k]:.0%}" for k in kept.index]
        seeds = len(correct)
        cells[f"{name}: seeds in which it is lost again"] = [
            f"{lost[k]} of {seeds}" for k in kept.index
        ]
    return cells, f"Easiest first. {note}".strip()


def _overview(correct: np.ndarray, pick: alt.Parameter) -> alt.Chart:
    """One thin row per sample, the ones most often right on top; the picked row is framed."""
    table = drawn(correct).drop(columns=["first", "last"])
    y = alt.Scale(domain=[0, len(correct)], reverse=True, nice=False)
    framed = alt.condition(pick, alt.value(2.5), alt.value(0))
    rows = alt.Chart(limited(table)).mark_rect(stroke=INK, tooltip=False)
    return (
        rows.encode(
            x=epochs_axis(correct),
            x2="right:Q",
            y=alt.Y(
                "row:Q",
                scale=y,
                title="glyphs, easiest first",
                axis=alt.Axis(labels=False, ticks=False, grid=False),
            ),
            y2="below:Q",
            color=alt.Color(
                "state:N",
                scale=STATE_SCALE,
                legend=alt.Legend(title=None, orient="top", symbolStrokeWidth=0),
            ),
            strokeWidth=framed,
        )
        .add_params(pick)
        .properties(width=290, height=480)
    )


def _portrait(images: Sequence[str], names: Sequence[str], pick: alt.Parameter) -> Layers:
    """The image and the name of the picked sample."""
    table = pd.DataFrame({"row": np.arange(len(images)), "url": images, "name": names})
    base = alt.Chart(limited(table)).transform_filter(pick)
    image = base.mark_image(width=96, height=96, align="left", baseline="top").encode(
        url="url:N", x=alt.value(0), y=alt.value(0)
    )
    words = base.mark_text(align="left", fontSize=14).encode(
        text="name:N", x=alt.value(110), y=alt.value(48)
    )
    return alt.layer(image, words).properties(width=290, height=96)


def _lives(name: str, correct: np.ndarray, pick: alt.Parameter) -> alt.Chart:
    """All seeds of one network for the picked sample: one row a seed, one cell an epoch."""
    seeds, samples, epochs = correct.shape
    codes = np.moveaxis(states(correct), 1, 0).reshape(samples, seeds * epochs)
    text = ["".join(map(str, life)) for life in codes]
    table = pd.DataFrame({"row": np.arange(samples), "life": text})
    cells = (
        alt.Chart(limited(table))
        .transform_filter(pick)
        .transform_calculate(cell="split(datum.life, '')", at=f"sequence({seeds * epochs})")
        .transform_flatten(["cell", "at"])
        .transform_calculate(
            seed=f"floor(datum.at / {epochs})",
            epoch=f"datum.at % {epochs}",
            state=f"{STATES}[toNumber(datum.cell)]",
        )
    )
    return (
        cells.mark_rect()
        .encode(
            x=alt.X("epoch:O", title=None, axis=alt.Axis(values=[0, 10, 20, 30], labelAngle=0)),
            y=alt.Y("seed:O", title="seed", axis=alt.Axis(ticks=False)),
            color=alt.Color("state:N", scale=STATE_SCALE, legend=None),
            tooltip=["seed:O", "epoch:O", "state:N"],
        )
        .properties(width=290, height=14 * seeds, title=alt.Title(name, fontSize=12, offset=4))
    )
