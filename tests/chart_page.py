"""One small page with charts that react, formulas, code and tables, as `lethe rerun` writes it."""

from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lethe.pages import book, charts
from lethe.pages.render import mimebundle
from lethe.pages.standalone import write_html

TEXT = """# A page
Words with a [link](https://example.org), $x^2$ and a table.

| what | number |
|---|---|
| one | 1 |

## Charts
"""
GLYPHS = [f"glyph {letter}" for letter in "abcdefgh"]


def told(title: str) -> dict[str, str]:
    return {"title": title, "description": f"{title}: what a reader would see in it, in words."}


def reacting() -> list:
    """A picker, fronts and sliders."""
    rng = np.random.default_rng(0)
    lives = {name: rng.random((3, 8, 9)) < 0.7 for name in ("small", "large")}
    pictures = [charts.data_uri(rng.integers(0, 255, (8, 8), np.uint8)) for _ in GLYPHS]
    arms = pd.DataFrame({"arm": list("aabb"), "x": [0.1, 0.2, 0.3, 0.4], "y": [0.4, 0.3, 0.2, 0.1]})
    axes = {"x_title": "first", "y_title": "second"}
    cells = [(n, x, s, n * x) for n in (1, 5, 20) for x in range(4) for s in ("p", "q")]
    grid = pd.DataFrame(cells, columns=["seeds", "x", "score", "y"])
    choose = {"seeds": "seeds averaged"}
    return [
        charts.life_picker(lives, pictures, GLYPHS, **told("Pick one")),
        charts.fronts(arms, "x", "y", **axes, **told("Fronts")),
        charts.sliders(grid, "x", "y", "score", choose=choose, **axes, **told("Sliders")),
    ]


def write(folder: Path) -> Path:
    """Write the page into `folder` and return its path; LETHE_BOOK must be set."""
    outputs = [new_output("display_data", data=_text(chart)) for chart in reacting()]
    outputs.append(
        new_output(
            "display_data",
            data={"text/html": book._verdict_html("upheld", "a claim.", "0.5 lies above 0.4")},
        )
    )
    code = new_code_cell("total = sum([1, 2])  # a comment", outputs=outputs)
    notebook = folder / "page.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell(TEXT), code]), notebook)
    return write_html(notebook, folder / "page.html", "lethe rerun page")


def _text(chart) -> dict[str, str]:
    bundle = mimebundle(chart.to_dict())
    return {kind: bundle[kind] for kind in ("text/html", "text/plain")}
