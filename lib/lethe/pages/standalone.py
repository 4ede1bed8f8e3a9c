"""An executed notebook as one HTML file that needs no network: charts, formulas, light and dark.

nbconvert makes the body; Vega is embedded once; formulas become MathML. Cost: about 1 s and 1 MB.
"""

import re
from html import escape
from pathlib import Path

import nbformat
from jinja2 import DictLoader
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

from lethe.pages.markdown import markdown
from lethe.pages.render import bundle_script

HIDDEN = {"remove-cell"}
TEMPLATE = """{%- extends 'basic/index.html.j2' -%}
{% block input_group -%}
{%- set tags = cell.metadata.get("tags", []) -%}
{%- if "remove-input" in tags -%}
{%- elif "hide-input" in tags or "hide-cell" in tags or "check" in tags -%}
<details class="code"><summary>Code</summary>{{ super() }}</details>
{%- else -%}{{ super() }}{%- endif -%}
{%- endblock input_group %}
"""
STYLE = """
:root { color-scheme: light dark; --pst-color-text-base: #222; --pst-color-text-muted: #5a6270;
  --pst-color-border: #ccd1d9; --pst-color-surface: #f4f5f7; --page: #fff; --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --pst-color-text-base: #e6e6e6;
  --pst-color-text-muted: #a4adba; --pst-color-border: #454c57; --pst-color-surface: #22262c;
  --page: #14181e; --link: #7db7f5; } }
body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem; background: var(--page);
  color: var(--pst-color-text-base); font: 1rem/1.55 system-ui, sans-serif; }
a { color: var(--link); } img { max-width: 100%; }
pre { background: var(--pst-color-surface); padding: 0.6rem 0.8rem; overflow-x: auto;
  font-size: 0.85rem; line-height: 1.4; border-radius: 4px; }
table { border-collapse: collapse; border: 0; } th, td { padding: 0.2rem 0.7rem 0.2rem 0;
  text-align: left !important; border: 0; border-bottom: 1px solid var(--pst-color-border); }
.prompt, .anchor-link { display: none; }
.admonition { border-left: 4px solid var(--link); padding: 0.1rem 1rem; margin: 1rem 0;
  background: var(--pst-color-surface); }
.admonition summary, .admonition-title { font-weight: 600; cursor: pointer; margin: 0.4rem 0; }
.code summary, .rerun { color: var(--pst-color-text-muted); font-size: 0.85rem; }
.rerun { overflow-wrap: anywhere; }
"""


def write_html(notebook: Path, out: Path, command: str) -> Path:
    """Write an executed notebook as one HTML file and return its path; `command` made it."""
    nb = nbformat.read(notebook, as_version=4)
    nb.cells = [cell for cell in nb.cells if not HIDDEN & set(cell.metadata.get("tags", []))]
    title = re.search(r"^# (.+)$", "\n".join(cell.source for cell in nb.cells), re.MULTILINE)
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title[1] if title else notebook.stem)}</title>
<style>{STYLE}{_book_static("lethe.css")}{_code_style()}</style>
<script>{bundle_script()}</script>
<script>{_book_static("lethe.js")}</script>
</head>
<body>
<header><p class="rerun">Made by <code>{escape(command)}</code></p></header>
<main>
{_body(nb)}
</main>
</body>
</html>
"""
    out.write_text(page, encoding="utf-8")
    return out


def _body(nb: nbformat.NotebookNode) -> str:
    loader = DictLoader({"page.html.j2": TEMPLATE})
    exporter = HTMLExporter(
        template_name="basic",
        template_file="page.html.j2",
        extra_loaders=[loader],
        filters={"markdown2html": markdown},
    )
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    return exporter.from_notebook_node(nb)[0]


def _book_static(name: str) -> str:
    """The book's own style or script for charts and tables, when this is a checkout of the book."""
    path = Path(__file__).resolve().parents[3] / "book" / "_static" / name
    return path.read_text("utf-8") if path.is_file() else ""


def _code_style() -> str:
    light = HtmlFormatter(style="xcode", nobackground=True).get_style_defs(".highlight")
    dark = HtmlFormatter(style="monokai", nobackground=True).get_style_defs(".highlight")
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
