"""The parameters of a page: read from its cell tagged `parameters`, given as text, checked.

One line each, `name: type = default  # what it means`. Name and comment say what is allowed:
`traces*` is a known store or the path of one; `score*` is a known score; `*fraction*` and `*share*`
lie strictly between 0 and 1; `*seed` is 0 or more; `*seeds`, `*draws`, `*resamples`, `bootstrap`
and `permutations` are more than 0; a comment that ends with `one of: a | b` lists the values.
`dataset`, `models` and `preset`, and `beside`, are checked together: see `stores`.
Cost: milliseconds, and 0.3 s for each store named by `traces*`.
"""

import ast
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import papermill

from lethe.analysis.scores import SCORES
from lethe.errors import LetheError, nearest
from lethe.pages import stores
from lethe.traces import open_traces

KINDS = ("int", "float", "str", "bool", "list")
TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")
COUNT = re.compile(r"(^|_)(seeds|draws|resamples|bootstrap|permutations)$")
SEED = re.compile(r"(^|_)seed(_\w)?$")
CHOICES = re.compile(r"one of:\s*(.+)$")


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell; `item` is the type of a list's entries."""

    name: str
    kind: str
    default: Any
    help: str
    item: str = "str"

    @property
    def choices(self) -> list[str]:
        """The values that the comment allows; empty if it lists none."""
        found = CHOICES.search(self.help)
        return [word.strip().strip("`'\".") for word in found[1].split("|")] if found else []


def allowed(parameter: Parameter) -> str:
    """The values that a parameter takes, in words; empty where its type says all."""
    name = parameter.name
    if parameter.choices:
        return " | ".join(parameter.choices)
    words = {
        "true | false": parameter.kind == "bool",
        " | ".join(SCORES): name.startswith("score"),
        "a store, or its path": name.startswith("traces"),
        "between 0 and 1, both excluded": _is_fraction(name) and parameter.kind != "str",
        "0 or more": bool(SEED.search(name)),
        "more than 0": bool(COUNT.search(name)),
        _captured("dataset"): name in ("dataset", "beside"),
        _captured("preset"): name == "preset",
    }
    return next((text for text, fits in words.items() if fits), "")


def _captured(field: str) -> str:
    return " | ".join(sorted(set(stores.captured()[field])))


def read_parameters(notebook: Path) -> dict[str, Parameter]:
    """The parameters of a notebook by name, as papermill sees them.

    Raises LetheError when one is of a type that cannot be given on a command line.
    """
    found = papermill.inspect_notebook(str(notebook))
    return {name: _parameter(notebook.stem, entry) for name, entry in found.items()}


def _parameter(page: str, entry: Mapping[str, str]) -> Parameter:
    name = entry["name"]
    try:
        default = ast.literal_eval(entry["default"])
    except (SyntaxError, ValueError):
        raise LetheError(
            f"{page}: parameter {name} = {entry['default']} is computed; expected a plain value"
        ) from None
    stated = entry["inferred_type_name"]
    kind, _, item = stated.rstrip("]").partition("[")
    if stated == "None":
        kind = type(default).__name__
    if kind not in KINDS:
        raise LetheError(f"{page}: parameter {name} is a {kind}, expected {', '.join(KINDS)}")
    return Parameter(name, kind, default, entry["help"].strip(), item or "str")


def check_values(
    page: str, known: Mapping[str, Parameter], given: Mapping[str, str]
) -> dict[str, Any]:
    """Turn `given` text into values of the right types, before anything runs.

    Raises LetheError for a name the page does not know or a value it refuses.
    """
    values = check_each(page, known, given)
    return values | _check_stores(known, values)


def check_names(page: str, known: Mapping[str, Parameter], given: Mapping[str, str]) -> None:
    """LetheError for a name that the page does not know."""
    for name in given:
        if name not in known:
            raise LetheError(f"{page} has no parameter {name!r}; {nearest(name, known)}")


def check_each(
    page: str, known: Mapping[str, Parameter], given: Mapping[str, str]
) -> dict[str, Any]:
    """`check_values`, one parameter at a time: whether they fit together is not asked."""
    check_names(page, known, given)
    values = {name: convert(known[name], text) for name, text in given.items()}
    return {name: check(known[name], value) for name, value in values.items()}


def _check_stores(known: Mapping[str, Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse what has no traces; returns `models` with paths made absolute, if it was given."""
    if not {"dataset", "models", "preset"} <= known.keys():
        return {}
    every = {name: parameter.default for name, parameter in known.items()} | {**values}
    chosen = every["dataset"], every["models"], every["preset"]
    found = stores.find_pair(*chosen)
    stores.find_beside(every.get("beside", ""), *chosen)
    if "models" not in values:
        return {}
    pairs = zip(values["models"], found, strict=True)
    return {"models": [path if stores.is_file(model) else model for model, path in pairs]}


def convert(parameter: Parameter, text: str) -> Any:
    """Read text as the parameter's type; a list is written a,b,c or as JSON."""
    if parameter.kind == "list":
        return [_scalar(parameter, parameter.item, word) for word in _words(text)]
    return _scalar(parameter, parameter.kind, text.strip())


def _words(text: str) -> list[str]:
    text = text.strip()
    if text.startswith("["):
        try:
            return [str(word) for word in json.loads(text)]
        except ValueError:
            text = text.strip("[]")
    return [word.strip() for word in text.split(",") if word.strip()]


def _scalar(parameter: Parameter, kind: str, text: str) -> Any:
    wrong = LetheError(
        f"{parameter.name} is of type {kind}, not {text!r}; e.g. {parameter.default!r}"
    )
    if kind == "bool":
        if text.lower() not in TRUE + FALSE:
            raise wrong
        return text.lower() in TRUE
    try:
        value = {"int": int, "float": float, "str": str}[kind](text)
    except ValueError:
        raise wrong from None
    if kind == "float" and not math.isfinite(value):
        raise wrong
    return value


def check(parameter: Parameter, value: Any) -> Any:
    """Return the value, a path made absolute; raises LetheError when it is not allowed."""
    name, values = parameter.name, value if isinstance(value, list) else [value]
    if name.startswith("traces"):
        checked = [_store(name, one) for one in values]
        return checked if isinstance(value, list) else checked[0]
    choices = parameter.choices or (list(SCORES) if name.startswith("score") else [])
    for one in values:
        if choices and str(one) not in choices:
            raise LetheError(f"{name} {one!r} is unknown; {nearest(str(one), choices)}")
        if isinstance(one, (int, float)) and not isinstance(one, bool):
            _check_number(name, one)
    return value


def _store(name: str, value: str) -> str:
    try:
        open_traces(value).close()
    except LetheError as error:
        raise LetheError(f"{name}: {error}") from None
    return str(Path(value).resolve()) if Path(value).is_file() else value


def _is_fraction(name: str) -> bool:
    return "fraction" in name or "share" in name


def _check_number(name: str, value: float) -> None:
    if _is_fraction(name) and not 0 < value < 1:
        raise LetheError(f"{name} must lie between 0 and 1, both excluded, not {value}")
    if SEED.search(name) and value < 0:
        raise LetheError(f"{name} must be 0 or more, not {value}")
    if COUNT.search(name) and value <= 0:
        raise LetheError(f"{name} must be more than 0, not {value}")
