"""Pick a point and see the sample behind it, its numbers and its life in every seed.

A point is picked by pointing near it, by a tap, or with the range input below the chart, whose
steps go from the hardest sample to the easiest. Cost: one row a sample, about 1 kB with its picture
and twenty lives of 31 epochs: the lives travel four epochs to a letter and are unfolded in the
browser for the picked sample only.
"""

import json
import textwrap
from collections.abc import Mapping, Sequence
from string import printable
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from lethe.errors import LetheError
from lethe.pages.rasters import STATE_SCALE, STATES, states
from lethe.pages.render import COLORS, GREY, INK, Layers, described, limited

PER_LETTER = 4  # epochs in a letter
LETTERS = [letter for letter in printable[:94] if letter not in "\"'\\<>&"][: 3**PER_LETTER]
MARKS = {"circle": GREY, "square": COLORS["purple"], "triangle-up": COLORS["green"]}
MARKS |= {"diamond": INK}
"""Shape and colour of up to four groups; blue and orange are left to the states of the lives."""

WIDTH, LINE = 290, 15  # pixels: a panel, a line of a text
STEP = 0.011  # distance of neighbours that have equal numbers, as a share of the axis
TOLD = 12  # samples in the table below the chart
LETTERS_A_LINE, TEXT_LINES = 44, 4  # of a text beside the chart; what is longer is cut


def life_scatter(
    table: pd.DataFrame,
    lives: Mapping[str, np.ndarray],
    *,
    x_title: str,
    y_title: str,
    title: str,
    description: str,
    fmt: str = ".1f",
    unit: str = "image",
) -> alt.HConcatChart:
    """Draw samples as points at (x, y) and, for the point picked, the sample and all its lives.

    `table`: one row a sample, the hardest first, with columns `x`, `y`, `name`, `url` (a `data:`
    address, or empty where there is no picture), for samples that are texts `text`, and, if points
    are to be told apart, `group` (at most four, in the order of their marks if categorical).
    `lives`: network to bool `correct` [seed, epoch, sample], in the order of the table; `unit` is
    what a sample is called. Points with equal numbers are drawn side by side. Raises LetheError for
    missing columns or numbers, and for lives of other samples.
    """
    _check(table, lives, unit)
    rows = table.reset_index(drop=True).rename_axis("place").reset_index()
    rows["name"] = [_wrapped(name, 22) for name in rows["name"]]
    rows["left"], rows["up"] = unstacked(table["x"], table["y"])
    for number, life in enumerate(lives.values()):
        rows[f"life{number}"] = folded(life)
    if "text" in rows:
        rows["text"] = [_lines(text) for text in rows["text"]]
    rows = limited(rows.round({"x": 4, "y": 4, "left": 4, "up": 4}))
    pick = _pick(len(rows), unit)
    portrait = _portrait(rows, pick, (x_title, y_title), fmt)
    details = [_lives(rows, n, name, lives[name], pick) for n, name in enumerate(lives)]
    points = _points(rows, pick, x_title, y_title)
    chart = alt.hconcat(points, alt.vconcat(portrait, *details, spacing=14), spacing=20)
    chart = chart.resolve_scale(color="independent", shape="independent")
    named = table.itertuples(index=False)
    steps = {steps_of(unit): [f"{row.name} ({row.x:{fmt}}; {row.y:{fmt}})" for row in named]}
    told = numbers(table, lives, (x_title, y_title), fmt, unit)
    more = {"table": told, "note": f"From the hardest to the easiest {unit}, at equal steps."}
    more |= {"steps": steps}
    return described(chart, title, description).properties(usermeta=more)


def _check(table: pd.DataFrame, lives: Mapping[str, np.ndarray], unit: str) -> None:
    missing = {"x", "y", "name", "url"} - set(table)
    if missing:
        raise LetheError(f"the table of the {unit}s has no column {', '.join(sorted(missing))}")
    if table.empty or not np.isfinite(table[["x", "y"]].to_numpy(float)).all():
        raise LetheError(f"every {unit} needs two finite numbers, and there must be one {unit}")
    if "group" in table and table["group"].nunique() > len(MARKS):
        raise LetheError(f"{table['group'].nunique()} groups: points have {len(MARKS)} marks")
    for name, life in lives.items():
        if np.ndim(life) != 3 or np.shape(life)[2] != len(table):
            raise LetheError(
                f"lives of {name} have shape {np.shape(life)}: expected [seed, epoch, {len(table)}]"
            )


def folded(correct: np.ndarray) -> list[str]:
    """The states of `correct` [seed, epoch, sample] as letters, PER_LETTER to one; [sample]."""
    codes = states(np.moveaxis(np.asarray(correct, bool), 2, 0)).reshape(np.shape(correct)[2], -1)
    codes = np.pad(codes, ((0, 0), (0, -codes.shape[1] % PER_LETTER)))
    digits = codes.reshape(len(codes), -1, PER_LETTER) @ 3 ** np.arange(PER_LETTER)
    return ["".join(row) for row in np.array(LETTERS)[digits]]


def unstacked(x: Sequence[float], y: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Places of points so that none hides another: those of equal numbers in a spiral around them.

    The first of them stands where it belongs, the k-th about sqrt(k) steps from there.
    """
    points = pd.DataFrame({"x": np.asarray(x, float), "y": np.asarray(y, float)})
    turn = points.groupby(["x", "y"]).cumcount().to_numpy()
    angle, radius = turn * np.pi * (3 - np.sqrt(5)), STEP * np.sqrt(turn)
    span = np.ptp(points.to_numpy(), axis=0)
    span = np.where(span > 0, span, 1)
    spread = np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None] * span
    return tuple((points.to_numpy() + spread).T)


def steps_of(unit: str) -> str:
    """The words on the range input."""
    return f"{unit}, from hard to easy"


def _pick(samples: int, unit: str) -> alt.Parameter:
    """The selection: by pointing, by a tap, or by the range input that the keyboard reaches."""
    steps = alt.binding_range(min=0, max=samples - 1, step=1, name=steps_of(unit))
    return alt.selection_point(
        name="image",  # of the selection, whatever a sample is
        fields=["place"],
        on="pointerover, click",
        nearest=True,
        bind=steps,
        value=[{"place": 0}],
        clear=False,
        empty=False,
    )


def _points(rows: pd.DataFrame, pick: alt.Parameter, x_title: str, y_title: str) -> Layers:
    """The scatter: every sample a point, the picked one in a ring."""
    base = alt.Chart(rows).encode(
        x=alt.X("left:Q", title=x_title, **_axis(rows["x"])),
        y=alt.Y("up:Q", title=y_title, **_axis(rows["y"])),
    )
    points = base.mark_point(filled=True, size=34, opacity=0.75)
    if "group" in rows:
        points = points.encode(**_groups(rows))
    else:
        points = points.encode(color=alt.value(GREY))
    points = points.encode(tooltip=alt.value(None)).add_params(pick)
    ring = base.transform_filter(pick).mark_point(size=150, strokeWidth=2.5, color=INK, opacity=1)
    return alt.layer(points, ring).properties(width=WIDTH, height=400)


def _axis(values: pd.Series) -> dict[str, Any]:
    """An axis as wide as the points; no number below zero where the values have none."""
    words = "datum.value < 0 ? '' : datum.label" if values.min() >= 0 else "datum.label"
    scale = alt.Scale(zero=False, nice=False, padding=10)
    return {"scale": scale, "axis": alt.Axis(tickCount=6, labelExpr=words)}


def _groups(rows: pd.DataFrame) -> dict[str, Any]:
    """Shape and colour by group, in one legend."""
    column = rows["group"]
    known = column.cat.categories if hasattr(column, "cat") else dict.fromkeys(column)
    names = [name for name in known if (column == name).any()]
    legend = alt.Legend(title=None, orient="top", columns=2, symbolSize=60, symbolOpacity=1)
    kinds = {"shape": list(MARKS), "color": list(MARKS.values())}
    channels: dict[str, Any] = {"shape": alt.Shape, "color": alt.Color}
    return {
        kind: channels[kind](
            "group:N", scale=alt.Scale(domain=names, range=marks[: len(names)]), legend=legend
        )
        for kind, marks in kinds.items()
    }


def _portrait(rows: pd.DataFrame, pick: alt.Parameter, titles: tuple[str, str], fmt: str) -> Layers:
    """The picture or the text, the name and the numbers of the picked sample."""
    base = alt.Chart(rows).transform_filter(pick)
    image = base.transform_filter("datum.url").mark_image(
        width=96, height=96, align="left", baseline="top", smooth=False
    )
    at = 108 if rows["url"].any() else 0
    lines = [
        f"{json.dumps(_wrapped(t))} + ': ' + format(datum.{c}, '{fmt}')"
        for t, c in zip(titles, "xy")
    ]
    words = base.transform_calculate(words=" + '\\n' + ".join(lines))
    text: dict[str, Any] = {"align": "left", "baseline": "top", "lineBreak": "\n"}
    name = base.mark_text(**text, fontSize=14, fontWeight="bold")
    rest = words.mark_text(**text, lineHeight=15)
    here = {"x": alt.value(at)}
    layers = [name.encode(text="name:N", y=alt.value(2), **here)]
    down = 40
    if "text" in rows:
        read = base.mark_text(**text, lineHeight=LINE, fontStyle="italic")
        layers.append(read.encode(text="text:N", y=alt.value(down), **here))
        down += LINE * TEXT_LINES + 8
    else:
        layers.insert(0, image.encode(url="url:N", x=alt.value(0), y=alt.value(0)))
    layers.append(rest.encode(text="words:N", y=alt.value(down), **here))
    return alt.layer(*layers).properties(width=WIDTH, height=down + 56)


def _lines(text: str) -> str:
    """A text as a few lines that fit beside the chart."""
    return "\n".join(
        textwrap.wrap(
            text, LETTERS_A_LINE, max_lines=TEXT_LINES, placeholder=" …", break_on_hyphens=False
        )
    )


def _wrapped(words: str, width: int = 24) -> str:
    return "\n".join(textwrap.wrap(words, width))


def _lives(
    rows: pd.DataFrame, number: int, name: str, correct: np.ndarray, pick: alt.Parameter
) -> alt.Chart:
    """All seeds of one network for the picked sample: one row a seed, one cell an epoch."""
    seeds, epochs, _ = np.shape(correct)
    letter = f"datum.life{number}[floor(datum.at / {PER_LETTER})]"
    number_of = f"indexof({json.dumps(''.join(LETTERS))}, {letter})"
    digit = f"floor({number_of} / pow(3, datum.at % {PER_LETTER})) % 3"
    cells = (
        alt.Chart(rows)
        .transform_filter(pick)
        .transform_calculate(at=f"sequence({seeds * epochs})")
        .transform_flatten(["at"])
        .transform_calculate(
            seed=f"floor(datum.at / {epochs})",
            epoch=f"datum.at % {epochs}",
            state=f"{STATES}[{digit}]",
        )
    )
    legend = alt.Legend(title=None, orient="top", symbolStrokeWidth=0)
    ticks = [epoch for epoch in range(0, epochs, 10 if epochs > 12 else 2)]
    return (
        cells.mark_rect()
        .encode(
            x=alt.X("epoch:O", title="epoch", axis=alt.Axis(values=ticks, labelAngle=0)),
            y=alt.Y("seed:O", title="seed", axis=alt.Axis(ticks=False)),
            color=alt.Color("state:N", scale=STATE_SCALE, legend=legend),
            tooltip=["seed:O", "epoch:O", "state:N"],
        )
        .properties(width=WIDTH, height=12 * seeds, title=alt.Title(name, fontSize=12, offset=4))
    )


def numbers(
    table: pd.DataFrame,
    lives: Mapping[str, np.ndarray],
    titles: tuple[str, str],
    fmt: str,
    unit: str = "image",
) -> dict[str, list[str]]:
    """The table below the chart: TOLD samples from the hardest to the easiest, at equal steps."""
    rows = np.unique(np.linspace(0, len(table) - 1, min(TOLD, len(table))).round().astype(int))
    some = table.iloc[rows]
    told = {unit: [str(name) for name in some["name"]]}
    if "text" in some:
        told["what it says"] = [str(text) for text in some["text"]]
    for column, title in zip("xy", titles, strict=True):
        told[title] = [f"{value:{fmt}}" for value in some[column]]
    for name, life in lives.items():
        lost = (states(np.moveaxis(life, 1, -1)) == 2).any(-1).sum(0)[rows]
        told[f"lost again, seeds of {name}"] = [f"{k} of {len(life)}" for k in lost]
    return told
