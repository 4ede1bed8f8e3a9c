"""The capture wing: fine-tune a network and keep what it knows of every sample, epoch by epoch.

Training needs torch; names are loaded when first used, so that the random streams and the audit of
a run folder work without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lethe.capture.finetune import Run, capture_run, plan_run
    from lethe.capture.many import capture_many
    from lethe.capture.pretraining import pretrain
    from lethe.capture.recipes import PRESETS, Recipe
    from lethe.capture.recorder import Recorder

__all__ = [
    "PRESETS",
    "Recipe",
    "Recorder",
    "Run",
    "capture_many",
    "capture_run",
    "plan_run",
    "pretrain",
]

HOMES = {
    "finetune": ("Run", "capture_run", "plan_run"),
    "many": ("capture_many",),
    "pretraining": ("pretrain",),
    "recipes": ("PRESETS", "Recipe"),
    "recorder": ("Recorder",),
}


def __getattr__(name: str) -> Any:
    """A public name from its module, loaded on first use."""
    for home, names in HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
