"""Executors on other machines: Dask, and Slurm by submitit. Both are extras (`lethe[sweep]`).

Cost: starting a local Dask cluster takes about 2 s.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lethe.capture.sweep.places import FOLDER
from lethe.errors import LetheError, nearest

KINDS = ("slurm", "local")
A_YEAR = 365 * 24 * 60  # minutes: submitit's local jobs end after 2 minutes by default
SCHEMES = ("tcp://", "tls://", "ucx://", "ws://", "wss://", "inproc://")


@contextlib.contextmanager
def dask_executor(address: str, jobs: int = 0, wait: float = 30.0) -> Iterator[Any]:
    """An executor on the workers of a Dask scheduler, such as tcp://HOST:8786; `local` starts a
    cluster here with `jobs` workers (default 1).

    LetheError if Dask is not installed or the scheduler does not answer within `wait` seconds.
    """
    if address != "local" and not address.startswith(SCHEMES):
        raise LetheError(f"a Dask address is tcp://HOST:PORT or local, not {address!r}")
    distributed = imported("distributed", "dask[distributed]")
    with contextlib.ExitStack() as stack:
        if address == "local":
            cluster = distributed.LocalCluster(
                n_workers=jobs or 1, threads_per_worker=1, memory_limit=None, dashboard_address=None
            )
            place: Any = stack.enter_context(cluster)
        else:
            place = address
        try:
            client = stack.enter_context(distributed.Client(place, timeout=wait))
        except (OSError, TimeoutError) as error:
            raise LetheError(f"no Dask scheduler answers at {address}: {error}") from None
        yield client.get_executor(pure=False)


def submitit_executor(kind: str, out: Path, parameters: Mapping[str, str]) -> Any:
    """submitit's executor for `slurm`, or for `local` processes to try it out.

    `parameters` are submitit's or, with the prefix `slurm_`, sbatch's own: partition, timeout_min,
    gpus_per_node, cpus_per_task, mem_gb, slurm_array_parallelism, ... LetheError for an unknown
    kind or parameter, and where there is no Slurm.
    """
    if kind not in KINDS:
        raise LetheError(f"unknown submitit executor {kind!r}: {nearest(kind, KINDS)}")
    submitit = imported("submitit", "submitit")
    folder = out.resolve() / FOLDER / "submitit" / "%j"
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=kind)
        given = {name: number_or_text(value) for name, value in parameters.items()}
        defaults = {"timeout_min": A_YEAR} if kind == "local" else {"name": "lethe"}
        executor.update_parameters(**{**defaults, **renamed(given)})
    except (RuntimeError, NameError, ValueError, TypeError) as error:
        raise LetheError(f"submitit refuses: {' '.join(str(error).split())[:300]}") from None
    return executor


def renamed(parameters: Mapping[str, int | str]) -> dict[str, int | str]:
    """`partition` and other options of sbatch under the names that submitit gives them."""
    ours = {"partition", "qos", "account", "constraint", "gres", "array_parallelism", "exclude"}
    return {f"slurm_{name}" if name in ours else name: v for name, v in parameters.items()}


def number_or_text(value: str) -> int | str:
    """A parameter as submitit wants it."""
    return int(value) if value.isdigit() else value


def imported(module: str, package: str) -> Any:
    """An extra module; LetheError says how to install it."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        raise LetheError(f"this needs {package}: pip install 'lethe[sweep]'") from None
