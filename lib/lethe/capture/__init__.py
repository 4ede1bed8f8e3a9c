"""The capture wing: fine-tune a network and keep what it knows of every sample, epoch by epoch.

Training needs torch; names are loaded when first used, so that the random streams, the audit of a
run folder and the recorder for a loop of one's own work without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lethe.capture.epoch_sampler import EpochSampler
    from lethe.capture.finetune import capture_run
    from lethe.capture.many import capture_many, pack_runs
    from lethe.capture.own_loop import TraceRecorder
    from lethe.capture.plan import Run, plan_run
    from lethe.capture.pretraining import pretrain
    from lethe.capture.ranks import merge_ranks
    from lethe.capture.recipes import PRESETS, Recipe
    from lethe.capture.recorder import Recorder

__all__ = [
    "PRESETS",
    "EpochSampler",
    "Recipe",
    "Recorder",
    "Run",
    "TraceRecorder",
    "capture_many",
    "capture_run",
    "merge_ranks",
    "pack_runs",
    "plan_run",
    "pretrain",
]

HOMES = {
    "epoch_sampler": ("EpochSampler",),
    "finetune": ("capture_run",),
    "many": ("capture_many", "pack_runs"),
    "own_loop": ("TraceRecorder",),
    "plan": ("Run", "plan_run"),
    "pretraining": ("pretrain",),
    "ranks": ("merge_ranks",),
    "recipes": ("PRESETS", "Recipe"),
    "recorder": ("Recorder",),
}


def __getattr__(name: str) -> Any:
    """A public name from its module, loaded on first use."""
    for home, names in HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
