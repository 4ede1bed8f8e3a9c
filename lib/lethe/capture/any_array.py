"""Arrays of any framework: lists, NumPy, torch on any device, JAX, TensorFlow, dlpack.

torch tensors are measured where they are and stay there; everything else becomes NumPy. Nothing
here imports torch: a tensor can only come from a torch that is imported already. Cost: a batch of
64 x 10 logits takes about 0.1 ms.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from lethe.errors import LetheError


def is_tensor(values: Any) -> bool:
    """Whether this is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor)


def as_numpy(values: Any, name: str) -> np.ndarray:
    """Any array-like as NumPy; LetheError naming it where that is not possible."""
    if is_tensor(values):
        return values.detach().cpu().numpy()
    try:
        if not hasattr(values, "__array__") and hasattr(values, "__dlpack__"):
            return np.from_dlpack(values)
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise LetheError(
            f"{name} of type {type(values).__name__} cannot be read as an array ({reason})"
        ) from None


def to_host(parts: Sequence[Any], name: str) -> np.ndarray:
    """One-dimensional pieces joined to one NumPy array; pieces of one device are copied at once."""
    if all(is_tensor(part) for part in parts) and len({part.device for part in parts}) == 1:
        return sys.modules["torch"].cat(list(parts)).cpu().numpy()
    return np.concatenate([as_numpy(part, name) for part in parts])


def whole_numbers(values: Any, name: str, hint: str) -> Any:
    """A copy of `values` as int64 [n], on its device; LetheError unless they are whole numbers.

    Floats are refused even where they look whole: bfloat16 holds 49,920 where 49,999 was meant.
    """
    if is_tensor(values):
        torch = sys.modules["torch"]
        whole = not (
            values.is_floating_point() or values.is_complex() or values.dtype is torch.bool
        )
        kind = values.dtype
    else:
        values = as_numpy(values, name)
        whole, kind = values.dtype.kind in "iu" or values.size == 0, values.dtype
    if not whole:
        raise LetheError(f"{name} are {kind}, expected {hint}")
    if values.ndim > 1:
        raise LetheError(f"{name} have shape {tuple(values.shape)}, expected one a sample")
    if is_tensor(values):
        on_host = values.device.type == "cpu"
        kept = values.detach().reshape(-1).to(torch.int64, copy=True)
        return kept.numpy() if on_host else kept
    return np.array(values, dtype=np.int64).reshape(-1)


def logit_rows(logits: Any, samples: int, classes: int) -> Any:
    """The logits as [samples, classes], a tensor or float64; one flat row is a batch of one."""
    rows = logits if is_tensor(logits) else as_numpy(logits, "logits")
    if rows.ndim == 1 and samples == 1:
        rows = rows.reshape(1, -1)
    if samples == 0 and rows.ndim in (1, 2) and len(rows) == 0:
        rows = rows.reshape(0, classes)
    if rows.ndim != 2 or len(rows) != samples:
        raise LetheError(
            f"logits have shape {tuple(rows.shape)} for {samples} ids, expected "
            f"({samples}, {classes}): one row of class scores a sample"
        )
    if rows.shape[1] != classes:
        raise LetheError(f"logits are of {rows.shape[1]} classes, the recorder was given {classes}")
    return rows if is_tensor(rows) else as_floats(rows)


def as_floats(rows: np.ndarray) -> np.ndarray:
    """Logits as float64; LetheError where they are no numbers."""
    try:
        return rows.astype(np.float64)
    except (TypeError, ValueError):
        raise LetheError(f"logits are {rows.dtype}, expected numbers") from None


def measure_rows(rows: Any, labels: Any) -> dict[str, Any]:
    """prediction, loss, margin and error_l2 [n] of logits [n, classes], on the logits' device.

    Labels outside the classes are taken for the nearest class, so that no device fails in the
    middle of training; the caller compares labels with its table.
    """
    top = rows.shape[1] - 1
    if not is_tensor(rows):
        return measure_numpy(rows, np.clip(as_numpy(labels, "labels"), 0, top))
    from lethe.capture.recorder import measure

    torch = sys.modules["torch"]
    with torch.no_grad():
        there = torch.as_tensor(labels).to(rows.device, non_blocking=True)
        return measure(rows, there.clamp(0, top))


def measure_numpy(logits: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """What `recorder.measure` computes, in float64 without torch: logits [n, classes], labels
    int[n].
    """
    sample = np.arange(len(logits))
    with np.errstate(invalid="ignore", over="ignore"):
        shifted = logits - logits.max(1, keepdims=True)
        log_share = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        others = logits.copy()
        others[sample, labels] = -np.inf
        error = np.exp(log_share)
        error[sample, labels] -= 1
        arrays = {
            "loss": -log_share[sample, labels],
            "margin": logits[sample, labels] - others.max(1),
            "error_l2": np.sqrt((error**2).sum(1)),
        }
        arrays = {name: values.astype(np.float32) for name, values in arrays.items()}
    return {"prediction": logits.argmax(1).astype(np.int16), **arrays}
