"""lethe.pages.install: what is installed where a notebook stands alone; a stale kernel is told."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from lethe.pages import install


def names(requirements: list[str]) -> set[str]:
    return {install._name(line) for line in requirements}


def test_the_library_without_torch_and_without_the_running_kernel():
    found = names(install.wanted(trains=False))
    assert {"numpy", "zarr", "altair", "typer"} <= found
    assert not found & {"torch", "torchvision", "timm", "ipykernel", "ipython"}


def test_a_page_that_trains_takes_the_torch_that_is_there(monkeypatch):
    monkeypatch.setattr(install, "find_spec", lambda name: None if name == "timm" else name)
    assert names(install.wanted(True)) - names(install.wanted(False)) == {"timm"}
    monkeypatch.setattr(install, "find_spec", lambda name: None)
    assert {"torch", "torchvision"} <= names(install.wanted(True))


def test_a_package_that_was_replaced_under_the_kernel_is_named(monkeypatch):
    assert install.stale(["numpy", "xarray", "not_loaded"]) == []
    monkeypatch.setitem(sys.modules, "numpy", SimpleNamespace(__version__="1.26.4"))
    assert install.stale(["numpy", "xarray"]) == ["numpy 1.26.4"]


def test_a_stale_kernel_is_told_to_restart(monkeypatch):
    asked = []
    monkeypatch.setattr(install, "pip", lambda *words: asked.append(words))
    monkeypatch.setattr(install.os, "chdir", asked.append)
    monkeypatch.setattr(install, "stale", lambda names: ["numpy 1.26.4"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(RuntimeError, match=r"numpy 1.26.4 is too old: restart the runtime"):
        install.main(trains=False)
    assert asked[1] == ("--no-deps", "--editable", str(install.ROOT))
    assert asked[2] == install.ROOT


def test_what_pip_says_reaches_the_reader(monkeypatch):
    said = "note: x\nERROR: No matching distribution found for numpy>=9\nhint: y"
    failed = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr(install.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(RuntimeError, match="could not install Lethe: ERROR: No matching"):
        install.pip("numpy>=9")


def test_it_needs_nothing_but_the_standard_library():
    code = f"import runpy; runpy.run_path({install.__file__!r})"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
