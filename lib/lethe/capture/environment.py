"""What a run ran on: versions, device, threads and determinism flags, for its manifest.

A resume splices two trajectories together unless it is exact (a one-bit difference grows into
another run), so an unfinished run goes on only where `EXACT` is unchanged.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch

import lethe
from lethe.capture import processes
from lethe.errors import LetheError
from lethe.paths import in_checkout

EXACT = ("torch", "timm", "device", "threads", "precision")


def describe(device: torch.device, threads: int) -> dict[str, str | int | bool]:
    """The environment of a run, ready for JSON."""
    cuda = device.type == "cuda"
    together = {"processes": processes.size()} if processes.size() > 1 else {}
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "torchvision", "timm", "numpy")},
        "lethe": lethe.__version__,
        "device": torch.cuda.get_device_name(device) if cuda else "cpu",
        "machine": platform.machine(),
        "threads": threads,
        **together,  # one process has no entry: so it was before there could be more
        "precision": "bfloat16 autocast" if cuda else "float32",
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "commit": commit(),
    }


def commit() -> str:
    """The commit of the source checkout; outside one, what LETHE_COMMIT says, or `unknown`."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"]
    try:
        if in_checkout():  # a package lies in somebody else's working copy, if in any
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            return done.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        pass
    return os.environ.get("LETHE_COMMIT", "unknown")


def weights_sha256(backbone: str) -> str:
    """The sha256 of the file the backbone came from; empty if it came from timm or nowhere."""
    if backbone in ("timm", "none"):
        return ""
    if not Path(backbone).is_file():
        raise LetheError(f"there is no weights file {backbone}: give lethe, timm, none or a file")
    return hashlib.sha256(Path(backbone).read_bytes()).hexdigest()


def check_same(begun: dict[str, object], now: dict[str, object], folder: Path) -> None:
    """LetheError naming what changed since an unfinished run was begun."""
    before, after = (environment.get("processes", 1) for environment in (begun, now))
    if before != after:
        launch = f"torchrun --nproc-per-node {before} -m lethe" if before != 1 else "lethe"
        raise LetheError(
            f"{folder.name} was begun with {before} process(es), this is {after}: sums would round "
            f"otherwise and a resume not be exact; finish it with {launch!r}, or remove the folder "
            "to start over"
        )
    for name in EXACT:
        if begun[name] != now[name]:
            raise LetheError(
                f"{folder.name} was begun with {name} {begun[name]}, this is {now[name]}: a resume "
                "would not be exact; finish it there, or remove the folder to start over"
            )
