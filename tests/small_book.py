"""A book of four pages with a chart, rendered by the build as the real one is (about 8 s)."""

import shutil
from pathlib import Path

import altair as alt
import nbformat
import pandas as pd

from lethe.pages import build, charts, render

ROOT = Path(__file__).parents[1]
TOC = """format: jb-book
root: notebooks/front
parts:
  - caption: First part
    chapters:
      - file: book/second
  - caption: Last part
    chapters:
      - file: book/glossary
      - file: book/status
"""
FRONT = """# Small book

A zebracrossing, and a {ref}`far place <far-away>`. A **seed** is a term.

```{admonition} Solution
:class: dropdown
The solution is forty-two.
```
"""
SECOND = """# The second page

Back to [the front](../notebooks/front.ipynb), on to [the web](https://example.org/).

## Near

{filler}

(far-away)=
## Far away

Here the far place is.
"""
GLOSSARY = """# Glossary

:::{glossary}
seed
  The number that all random choices come from.
:::
"""


def chart():
    """A chart of six dots and a folded table of its numbers."""
    rows = pd.DataFrame({"x": range(6), "y": [1, 3, 2, 5, 4, 6]})
    dots = alt.Chart(rows).mark_circle(color=charts.COLORS["orange"], size=200).encode(x="x", y="y")
    return charts.finished(dots, "Six dots", "Six dots that rise.", table={"y": ["13254"]})


def cells(monkeypatch):
    """The front page's cells, with the chart as the book draws it."""
    monkeypatch.setenv("LETHE_BOOK", "1")
    bundle = render.mimebundle(chart().to_dict())
    drawn = {"text/html": bundle["text/html"], "text/plain": bundle["text/plain"]}
    output = nbformat.v4.new_output("display_data", data=drawn)
    folded = nbformat.v4.new_code_cell("folded_code = 1", metadata={"tags": ["hide-input"]})
    solved = nbformat.v4.new_code_cell("solved_code = 2", metadata={"tags": ["solution"]})
    solved.metadata["tags"].append("hide-cell")
    shown = nbformat.v4.new_code_cell("shown_code = 3", outputs=[output])
    return [nbformat.v4.new_markdown_cell(FRONT), shown, folded, solved]


def make(out: Path, monkeypatch) -> Path:
    """Write the sources to `out/source`, render them and return `out`."""
    source = out / "source"
    (source / "notebooks").mkdir(parents=True)
    shutil.copytree(ROOT / "book" / "_static", source / "book" / "_static")
    shutil.copy(ROOT / "_config.yml", source)
    shutil.copy(ROOT / "book" / "references.bib", source / "book")
    render.write_bundle(source / "book" / "_static" / "vega-bundle.js")
    notebook = nbformat.v4.new_notebook(cells=cells(monkeypatch))
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, source / "notebooks" / "front.ipynb")
    filler = "\n\n".join(f"Paragraph {n} stands between." for n in range(60))
    pages = {"_toc.yml": TOC, "second.md": SECOND.format(filler=filler), "glossary.md": GLOSSARY}
    pages["status.md"] = "# Status\n\nAll is well.\n"
    for name, text in pages.items():
        (source / "book" / name).write_text(text, "utf-8")
    monkeypatch.setenv("LETHE_COMMIT", "abc123")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    build.render(out, strict=False)
    return out
