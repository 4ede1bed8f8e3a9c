"""Many runs, on one machine or on many: a list of runs in a file, carried out by any executor.

`read_sweep` reads the list, `run_sweep` carries it out. What is known of a sweep lies in files, so
it can be killed, given again, or given twice at once. Names are loaded when first used: a worker
process must choose its graphics card before torch is imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lethe.capture.sweep.product import Sweep, read_sweep
    from lethe.capture.sweep.schedule import run_sweep
    from lethe.capture.sweep.worker import Outcome

__all__ = ["Outcome", "Sweep", "read_sweep", "run_sweep"]

HOMES = {
    "product": ("Sweep", "read_sweep"),
    "schedule": ("run_sweep",),
    "worker": ("Outcome",),
}


def __getattr__(name: str) -> Any:
    """A public name from its module, loaded on first use."""
    for home, names in HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
