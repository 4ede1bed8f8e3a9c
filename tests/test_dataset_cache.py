"""lethe.datasets.cache: what is kept, and what a kill or damage leaves."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from pictures import noise, photographs, slowly
from PIL import Image

from lethe.datasets import cache
from lethe.datasets.cache import decoded


@pytest.fixture(autouse=True)
def datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_DATASETS", str(tmp_path / "datasets"))
    return tmp_path / "datasets"


def stored(tmp_path):
    return next((tmp_path / "datasets" / "decoded").glob("*.npy"))


def count_decodes(monkeypatch):
    calls = []
    once = cache.decode
    monkeypatch.setattr(cache, "decode", lambda *given: calls.append(given) or once(*given))
    return calls


def test_the_second_time_nothing_is_decoded(tmp_path, monkeypatch):
    names = photographs(tmp_path)
    first = np.array(decoded(tmp_path, names, 16))
    calls = count_decodes(monkeypatch)
    again = decoded(tmp_path, names, 16)
    assert isinstance(again, np.memmap)
    assert not calls
    np.testing.assert_array_equal(first, again)
    with pytest.raises(ValueError, match="read-only"):
        again[0] = 0


@pytest.mark.parametrize("change", ["content", "time", "order", "pixels", "squeeze", "fewer"])
def test_any_change_is_decoded_anew(tmp_path, monkeypatch, change):
    names, pixels, squeeze = photographs(tmp_path), 16, False
    decoded(tmp_path, names, pixels)
    calls = count_decodes(monkeypatch)
    if change == "content":
        Image.fromarray(noise(30, 30, 3)).save(tmp_path / names[0])
    elif change == "time":
        os.utime(tmp_path / names[0], ns=(1, 1))
    elif change == "order":
        names = names[::-1]
    elif change == "pixels":
        pixels = 17
    elif change == "squeeze":
        squeeze = True
    else:
        names = names[1:]
    array = decoded(tmp_path, names, pixels, squeeze=squeeze)
    assert len(calls) == len(names)
    if not squeeze:
        np.testing.assert_array_equal(array[0], slowly(tmp_path / names[0], pixels))


@pytest.mark.parametrize("damage", ["bit", "cut", "longer", "empty", "gone", "shape", "digest"])
def test_a_damaged_cache_is_rebuilt(tmp_path, damage):
    names = photographs(tmp_path)
    whole = np.array(decoded(tmp_path, names, 16))
    path = stored(tmp_path)
    data = bytearray(path.read_bytes())
    if damage == "bit":
        data[-1] ^= 1
        path.write_bytes(data)
    elif damage == "cut":
        path.write_bytes(data[:-5])
    elif damage == "longer":
        path.write_bytes(data + b"!")
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "gone":
        path.unlink()
    elif damage == "shape":
        np.save(path, whole[:3])
        about = {"sha256": cache.file_sha256(path)}
        path.with_suffix(".json").write_text(json.dumps(about))
    else:
        path.with_suffix(".json").write_text("{")
    np.testing.assert_array_equal(decoded(tmp_path, names, 16), whole)
    np.testing.assert_array_equal(np.load(stored(tmp_path)), whole)


SLOW = """
import sys, time
from lethe.datasets import cache
from pathlib import Path
once = cache.decode
def slow(*given):
    time.sleep(0.05)
    return once(*given)
cache.decode = slow
cache.decoded(Path(sys.argv[1]), sys.argv[2:], 16)
"""


def test_a_kill_while_decoding_leaves_nothing_that_is_read(tmp_path):
    names = photographs(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path), *names])
    part = tmp_path / "datasets" / "decoded"
    deadline = time.time() + 30
    while not list(part.glob("*.part")) and time.time() < deadline:
        time.sleep(0.005)
    time.sleep(0.06)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert list(part.glob("*.part"))
    assert not list(part.glob("*.npy"))
    array = decoded(tmp_path, names, 16)
    for image, name in zip(array, names):
        np.testing.assert_array_equal(image, slowly(tmp_path / name, 16))
    assert not list(part.glob("*.part"))


def test_a_kill_between_array_and_digest_is_rebuilt(tmp_path, monkeypatch):
    names = photographs(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(cache, "write_json", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            decoded(tmp_path, names, 16)
    assert stored(tmp_path).exists()
    np.testing.assert_array_equal(decoded(tmp_path, names, 16)[5], slowly(tmp_path / names[5], 16))


def sums(root, names, queue):
    queue.put(int(decoded(root, names, 16).astype(int).sum()))


def test_two_processes_at_once_get_the_same(tmp_path):
    names = photographs(tmp_path)
    fork = multiprocessing.get_context("fork")
    queue = fork.Queue()
    workers = [fork.Process(target=sums, args=(tmp_path, names, queue)) for _ in range(3)]
    for worker in workers:
        worker.start()
    found = [queue.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    expected = sum(int(slowly(tmp_path / name, 16).astype(int).sum()) for name in names)
    assert found == [expected] * 3
    assert len(list((tmp_path / "datasets" / "decoded").glob("*.npy"))) == 1
