"""Charts in JupyterLab without network: one cell of a notebook brings Vega, its charts wait for it.

JupyterLab names the cell that it runs; where no cell is named, a page draws as before. Cost: 1 MB
in the notebook that was run.
"""

from collections.abc import Callable

from IPython import get_ipython

STYLE = """<style>.lethe-chart { width: 100%; } .lethe-title { font-weight: 600; }</style>
"""
WAIT = """<script>
window.vegaEmbed = window.vegaEmbed || function wait(...chart) {
  return new Promise(function (drawn) {
    const timer = setInterval(function () {
      if (window.vegaEmbed === wait) return;
      clearInterval(timer);
      drawn(window.vegaEmbed(...chart));
    }, 200);
  });
};
</script>
"""
_brought: dict[str, str] = {}  # the cell that brought Vega, and in which of its runs


def running() -> tuple[str, str]:
    """The notebook cell that JupyterLab runs, and which run of it; empty elsewhere."""
    shell = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    cell = (parent.get("metadata") or {}).get("cellId") or ""
    return cell, (parent.get("header") or {}).get("msg_id", "")


def vega(bundle: Callable[[], str]) -> str:
    """What stands before a chart: Vega, in the first cell with one whenever that is run."""
    cell, run = running()
    if _brought and _brought.get(cell, run) == run:
        return STYLE + WAIT
    _brought[cell] = run
    return f"{STYLE}<script>{bundle()}</script>\n"
