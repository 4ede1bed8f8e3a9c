"""Reading a pickle of numbers from strangers: no code in it can run.

A pickle may name any function and call it. Here it gets dict, list, tuple, numbers, text, and
stand-ins for NumPy's scalars and arrays; any other name is refused, with its position in the file.
Cost: pure Python, 0.7 microseconds a number: the C reader tells no position, and a few bytes can
make it reserve gigabytes for its memo.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from lethe.errors import LetheError

PLAIN = re.compile(r"[<>|=]?[biuf][1248]")
LARGEST_FILE = 4 * 2**30  # bytes; 50,000 examples of 200 epochs take 0.4 GB


class _Type:
    """What a pickled dtype says: a kind of number and its byte order."""

    def __init__(self, name: Any, *_: Any) -> None:
        name = name.decode("latin1") if isinstance(name, bytes) else name
        if not isinstance(name, str) or not PLAIN.fullmatch(name):
            raise ValueError(f"an array of {name!r}, expected numbers")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple) -> None:
        order = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
        self.dtype = self.dtype.newbyteorder(">" if order == ">" else "<")


class _Array:
    """A pickled array, filled by its state: version, shape, type, order and bytes."""

    values: np.ndarray

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, by_column, data = state
        order: Literal["C", "F"] = "F" if by_column else "C"
        self.values = np.frombuffer(_bytes(data), kind.dtype).reshape(shape, order=order)


def _bytes(data: Any) -> bytes:
    return data.encode("latin1") if isinstance(data, str) else bytes(data)


def _scalar(kind: _Type, data: Any) -> int | float | bool:
    (value,) = np.frombuffer(_bytes(data), kind.dtype).tolist()
    return value


def _latin1(text: str, encoding: str) -> bytes:
    """How protocols 0 to 2 write bytes; only with that one encoding."""
    if encoding != "latin1":
        raise ValueError(f"bytes in {encoding!r}, expected latin1")
    return text.encode("latin1")


ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _latin1,
}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    ALLOWED |= {
        (_module, "scalar"): _scalar,
        (_module, "_reconstruct"): lambda *_: _Array(),
    }


_DISPATCH = pickle._Unpickler.dispatch
_LOAD_BUILD: Callable[[Any], None] = _DISPATCH[pickle.BUILD[0]]


class _Reader(pickle._Unpickler):
    """The standard library's reader in Python, with the names of `ALLOWED` and no other."""

    stack: list[Any]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise LetheError(f"names {module}.{name}; expected numbers, text, lists and dicts only")
        return ALLOWED[module, name]

    def load_build(self) -> None:
        if not isinstance(self.stack[-2], _Type | _Array):
            raise LetheError("sets the state of something that is no number")
        _LOAD_BUILD(self)

    dispatch: ClassVar[dict[int, Any]] = {**_DISPATCH, pickle.BUILD[0]: load_build}

    def persistent_load(self, pid: Any) -> Any:
        raise LetheError("points to an object outside the file")


def read_pickle(path: Path) -> Any:
    """What a pickle holds; text of Python 2 is read as latin1.

    Raises LetheError naming the position for a name that is not a number's, a call, a truncated
    file, and anything else that is not plain data.
    """
    if path.stat().st_size > LARGEST_FILE:
        raise LetheError(f"{path} is larger than {LARGEST_FILE // 2**30} GB; split it by seed")
    file = io.BytesIO(path.read_bytes())
    try:
        return _Reader(file, encoding="latin1").load()
    except LetheError as error:
        raise LetheError(f"{path}, near byte {file.tell()}: the pickle {error}") from None
    except Exception as error:  # a broken pickle can break in any way
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LetheError(
            f"{path}, near byte {file.tell()}: not a whole pickle of plain data ({reason})"
        ) from None
