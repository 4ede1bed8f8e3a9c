"""Training memory: fork a training state into paired arms, change one thing, and compare.

Training memory is any dependence of the next update on more than the present weights and the
present batch: momentum, moments, averages, running statistics, order, queues.
"""

from lethe.capture.interventions.fork import HORIZONS, Arm, Fork, fork, run_arm
from lethe.capture.interventions.invariants import InvariantError
from lethe.capture.interventions.primitives import (
    Intervention,
    age_queue,
    flush_queue,
    other_future,
    recalibrate_batch_norm,
    reset_adam,
    reset_batch_norm,
    reset_momentum,
    reset_teacher,
    swap_windows,
    together,
)
from lethe.capture.interventions.process import (
    FineTuning,
    Stream,
    Taken,
    Training,
    one_cycle,
    rising,
)

__all__ = [
    "HORIZONS",
    "Arm",
    "FineTuning",
    "Fork",
    "Intervention",
    "InvariantError",
    "Stream",
    "Taken",
    "Training",
    "age_queue",
    "flush_queue",
    "fork",
    "one_cycle",
    "other_future",
    "recalibrate_batch_norm",
    "reset_adam",
    "reset_batch_norm",
    "reset_momentum",
    "reset_teacher",
    "rising",
    "run_arm",
    "swap_windows",
    "together",
]
