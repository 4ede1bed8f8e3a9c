"""How a page was made: commit, command, parameters, trace stores, studies, versions, time, memory.

Cost: milliseconds, and a second for each 500 MB of stores, whose hash is computed.
"""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import lethe
from lethe.paths import in_checkout

PACKAGES = ("lethe", "numpy", "scipy", "pandas", "xarray", "altair", "papermill", "jupyter-book")
CHANGED = "+"  # ends LETHE_COMMIT where the working copy has uncommitted changes

MARKS = Path("/proc/self/status")  # what Linux knows of this process


def of_store(traces: Any) -> dict[str, Any]:
    """Return name, hash, preset, model, seeds, device and commit of an opened trace store."""
    from lethe.traces import fingerprint  # here: the build reads footers without xarray

    attrs = traces.attrs
    source = traces.encoding.get("source")
    digest = fingerprint(traces) or (sha256(source) if source else "none")
    manifests = json.loads(attrs.get("manifests", "[]"))
    ran_on = [manifest.get("environment", {}) for manifest in manifests]
    return {
        "name": Path(source).name if source else "in memory",
        "sha256": digest,
        "preset": attrs.get("preset", "unknown"),
        "model": attrs.get("model", "unknown"),
        "view": attrs.get("view", "unknown"),
        "seeds": traces.sizes.get("seed", 0),
        "device": _each(ran_on, "device"),
        "captured_at": _each(ran_on, "commit"),
    }


def of_study(table: Any) -> dict[str, Any]:
    """Return what `of_store` does, of a study's table, and its number of tasks and core hours."""
    attrs = table.attrs
    ran_on = attrs.get("environments", [])
    models = sorted(set(table["model"])) if "model" in table else []
    return {
        "name": f"{attrs['study']}.csv",
        "sha256": attrs["table_sha256"],
        "preset": "study",
        "model": ", ".join(models) or "unknown",
        "view": "clean",
        "seeds": table["seed"].nunique() if "seed" in table else 0,
        "device": _each(ran_on, "device"),
        "captured_at": _each(ran_on, "commit"),
        "tasks": attrs["tasks"],
        "core_hours": attrs["core_hours"],
    }


def _each(environments: list[dict[str, Any]], key: str) -> str:
    """The different values of a key over the runs of a store, or `unknown`."""
    return ", ".join(sorted({str(e[key]) for e in environments if key in e})) or "unknown"


@cache
def sha256(path: str) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def commit() -> str:
    """Return the short commit of the working copy, or "unknown" outside one."""
    given = os.environ.get("LETHE_COMMIT")
    if given is not None:
        return given.removesuffix(CHANGED)
    return _git("rev-parse", "--short=12", "HEAD") or "unknown"


@cache
def changed() -> bool:
    """Return whether tracked files of the working copy differ from its commit."""
    given = os.environ.get("LETHE_COMMIT")
    if given is not None:
        return given.endswith(CHANGED)
    return bool(_git("status", "--porcelain", "--untracked-files=no"))


def state() -> str:
    """Return the commit in words: `abc123 with uncommitted changes`."""
    return in_words({"commit": commit(), "uncommitted_changes": changed()})


def in_words(record: Mapping[str, Any]) -> str:
    """Return the commit of a record of `facts` in words, as `state` does."""
    more = " with uncommitted changes" if record.get("uncommitted_changes") else ""
    return f"{record['commit']}{more}"


def handed_on() -> str:
    """Return the value of LETHE_COMMIT that tells another process this commit."""
    return commit() + (CHANGED if changed() else "")


def _git(*arguments: str) -> str:
    """What git says of this working copy; nothing outside one."""
    if not in_checkout():
        return ""  # a package lies in somebody else's working copy, if in any
    command, here = ["git", *arguments], Path(__file__).parent
    try:
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
        return done.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def versions(names: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Return the versions of Python and of packages, by default those that make the numbers."""
    return {"python": platform.python_version()} | {name: installed(name) for name in names}


def installed(name: str) -> str:
    """Return the version of a package, or `not installed`."""
    if name == "lethe":  # what pip noted of a checkout may be older than its code
        return lethe.__version__
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def peak_memory() -> int | None:
    """Return the most memory this process has held, in MB; None where it is not told (Windows).

    Without child processes. On Linux the kernel's own mark, as `getrusage` there counts what the
    parent held when it started this process.
    """
    if MARKS.is_file():
        found = re.search(r"^VmHWM:\s+(\d+) kB$", MARKS.read_text("ascii"), re.MULTILINE)
        if found:
            return round(int(found[1]) * 1024 / 1e6)
    try:
        import resource  # Unix only
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024))  # bytes, else KiB


def now() -> float:
    """Return the time in seconds since 1970; SOURCE_DATE_EPOCH fixes it for equal builds."""
    return float(os.environ.get("SOURCE_DATE_EPOCH", time.time()))


def facts(seconds: float) -> dict[str, Any]:
    """Return commit, versions, run time in seconds, peak memory in MB, time in UTC and platform."""
    return {
        "commit": commit(),
        "uncommitted_changes": changed(),
        "versions": versions(),
        "seconds": round(seconds, 2),
        "peak_memory_mb": peak_memory(),
        "made_at": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now())),
        "platform": platform.platform(),
    }


def footer(
    name: str, parameters: dict[str, Any], stores: list[dict[str, Any]], facts: dict[str, Any]
) -> str:
    """Return how a page was made as a folded HTML table."""
    memory = facts["peak_memory_mb"]
    rows = {"page": name, "commit": in_words(facts), "make it again": command(name)}
    rows["parameters"] = ", ".join(f"{key} = {value}" for key, value in parameters.items())
    for store in stores:
        kind = "results" if "tasks" in store else "traces"
        rows[f"{kind} {store['name']}"] = _source(store)
    rows["versions"] = ", ".join(f"{k} {v}" for k, v in facts["versions"].items())
    rows["run time"] = f"{facts['seconds']:.1f} s"
    rows["peak memory"] = "unknown" if memory is None else f"{memory:,} MB"
    rows |= {"date": facts["made_at"], "platform": facts["platform"]}
    cells = "".join(
        f'<tr><th scope="row">{escape(k)}</th><td>{escape(str(v))}</td></tr>'
        for k, v in rows.items()
    )
    return (
        '<details class="lethe-provenance"><summary>How this page was made</summary>'
        f"<table><tbody>{cells}</tbody></table></details>"
    )


def command(name: str) -> str:
    """Return the command that makes a page again: LETHE_COMMAND, which `lethe rerun` sets."""
    return os.environ.get("LETHE_COMMAND") or f"lethe rerun {name}"


def _source(store: dict[str, Any]) -> str:
    """A trace store or a study in a line of the footer."""
    what = f"{store['model']}, preset {store['preset']}, view {store['view']}"
    if "tasks" in store:
        what = f"{store['model']}, {store['tasks']} tasks in {store['core_hours']:g} core hours"
    made = "run" if "tasks" in store else "captured"
    where = f"{made} on {store['device']} at commit {store['captured_at']}"
    return f"{what}, {store['seeds']} seeds, {where}, sha256 {store['sha256'][:16]}"
