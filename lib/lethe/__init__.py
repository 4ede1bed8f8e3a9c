"""Lethe: which training samples a network learns and then loses again.

What is public is what `PUBLIC` lists and the book's page "The library" describes; all else may
change at any time. Names are loaded when first used: importing this costs milliseconds, no torch.
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from lethe import traces
    from lethe.analysis import agreement, curves, scores
    from lethe.capture import EpochSampler, TraceRecorder, merge_ranks
    from lethe.errors import LetheError
    from lethe.traces import (
        compact,
        complete,
        correct,
        describe,
        from_arrays,
        list_traces,
        match_samples,
        open_traces,
    )
    from lethe.traces.exchange import export_traces, import_traces, write_store

__version__ = "0.2.0"

__all__ = [
    "EpochSampler",
    "LetheError",
    "TraceRecorder",
    "__version__",
    "agreement",
    "compact",
    "complete",
    "correct",
    "curves",
    "describe",
    "export_traces",
    "from_arrays",
    "import_traces",
    "list_traces",
    "match_samples",
    "merge_ranks",
    "open_traces",
    "scores",
    "traces",
    "write_store",
]

MODULES = {  # public name -> where the module is
    "agreement": "lethe.analysis.agreement",
    "curves": "lethe.analysis.curves",
    "scores": "lethe.analysis.scores",
    "traces": "lethe.traces",
}
HOMES = {  # public name -> the module it is taken from
    "EpochSampler": "lethe.capture",
    "LetheError": "lethe.errors",
    "TraceRecorder": "lethe.capture",
    "compact": "lethe.traces",
    "complete": "lethe.traces",
    "correct": "lethe.traces",
    "describe": "lethe.traces",
    "export_traces": "lethe.traces.exchange",
    "from_arrays": "lethe.traces",
    "import_traces": "lethe.traces.exchange",
    "list_traces": "lethe.traces",
    "match_samples": "lethe.traces",
    "merge_ranks": "lethe.capture",
    "open_traces": "lethe.traces",
    "write_store": "lethe.traces.exchange",
}
PUBLIC = {  # module as users write it -> its public names; test_public_api.py freezes them
    "lethe": tuple(HOMES),
    "lethe.scores": ("SCORES", "Score", "all_scores", "available", "harder", "score"),
    "lethe.curves": (
        "CurveFit",
        "HalfLife",
        "fit_exponential",
        "half_life",
        "half_life_interval",
        "r2_conventions",
        "retention_traces",
        "simulate_correct",
    ),
    "lethe.agreement": (
        "Band",
        "Equivalence",
        "Interval",
        "cross_seed",
        "icc",
        "jaccard_matrix",
        "jaccard_null",
        "kendall_w",
        "mean_pairwise",
        "permutation_null",
        "pigeonhole_bootstrap",
        "seeds_needed",
        "spearman_brown",
        "spearman_matrix",
        "spearman_on",
        "tost_equivalence",
        "within_between_gap",
    ),
}


class Renamed(NamedTuple):
    """What an old public name is called now, and the version in which the old one goes."""

    new: str
    gone: str


RENAMED: dict[str, Renamed] = {}  # old name -> new; a row stays for one minor version or longer


def _loaded(name: str) -> Any:
    """A public name, loaded on first use; one that was renamed, with a DeprecationWarning."""
    if name in RENAMED:
        new, gone = RENAMED[name]
        told = f"lethe.{name} is now lethe.{new}; the old name goes in version {gone}"
        warnings.warn(told, DeprecationWarning, stacklevel=2)
        return _loaded(new)
    if name in MODULES:
        return import_module(MODULES[name])
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module 'lethe' has no public name {name!r}; it has {', '.join(__all__)}")


if not TYPE_CHECKING:  # a type checker knows the imports above, and no other name
    __getattr__ = _loaded


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
