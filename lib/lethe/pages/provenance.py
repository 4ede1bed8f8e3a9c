"""Where a page's numbers come from: commit, parameters, trace stores, studies, versions, time."""

import hashlib
import json
import os
import platform
import subprocess
from functools import cache
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("lethe", "numpy", "scipy", "pandas", "xarray", "altair")


def of_store(traces: Any) -> dict[str, Any]:
    """Return name, hash, preset, model, seeds, device and commit of an opened trace store."""
    attrs = traces.attrs
    source = traces.encoding.get("source")
    digest = traces.encoding.get("sha256") or (sha256(source) if source else "none")
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
    if "LETHE_COMMIT" in os.environ:
        return os.environ["LETHE_COMMIT"]
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    here = Path(__file__).parent
    try:
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that make the numbers."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def facts(seconds: float) -> dict[str, Any]:
    """Return commit, versions and run time in seconds."""
    return {"commit": commit(), "versions": versions(), "seconds": round(seconds, 2)}


def footer(
    name: str, parameters: dict[str, Any], stores: list[dict[str, Any]], facts: dict[str, Any]
) -> str:
    """Return the provenance of a page as a folded HTML table."""
    rows = {"page": name, "commit": facts["commit"]}
    rows["parameters"] = ", ".join(f"{key} = {value}" for key, value in parameters.items())
    for store in stores:
        kind = "results" if "tasks" in store else "traces"
        rows[f"{kind} {store['name']}"] = _source(store)
    rows["versions"] = ", ".join(f"{k} {v}" for k, v in facts["versions"].items())
    rows["run time"] = f"{facts['seconds']:.1f} s"
    rows["run it again"] = f"lethe rerun {name}"
    cells = "".join(
        f'<tr><th scope="row">{escape(k)}</th><td>{escape(str(v))}</td></tr>'
        for k, v in rows.items()
    )
    return (
        '<details class="lethe-provenance"><summary>Where these numbers come from</summary>'
        f"<table><tbody>{cells}</tbody></table></details>"
    )


def _source(store: dict[str, Any]) -> str:
    """A trace store or a study in a line of the footer."""
    what = f"{store['model']}, preset {store['preset']}, view {store['view']}"
    if "tasks" in store:
        what = f"{store['model']}, {store['tasks']} tasks in {store['core_hours']:g} core hours"
    made = "run" if "tasks" in store else "captured"
    where = f"{made} on {store['device']} at commit {store['captured_at']}"
    return f"{what}, {store['seeds']} seeds, {where}, sha256 {store['sha256'][:16]}"
