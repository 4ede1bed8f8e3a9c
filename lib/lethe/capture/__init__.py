"""The capture wing: fine-tune a network and keep what it knows of every sample, epoch by epoch
(needs torch).
"""

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
