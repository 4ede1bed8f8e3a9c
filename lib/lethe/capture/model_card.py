"""Model cards: what a weights file was trained on, how, how well, and what it may be used for.

The same facts stand in the file's safetensors metadata (one JSON text, `card`: several entries
would be stored in random order, and equal weights in unequal files) and in NAME.md beside it.
Cost: none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from lethe.datasets.images import Images
from lethe.errors import LetheError

TASKS = {
    "glyphs": "classify letters of scripts other than Latin, drawn in free typefaces",
    "tiny-imagenet-200": "classify photographs of Tiny-ImageNet's classes",
}
TERMS = {
    "glyphs": (
        "The images are pictures of free typefaces, whose licences are listed in "
        "`data/glyphs/LICENCES.md`."
    ),
    "tiny-imagenet-200": (
        "Tiny-ImageNet is a subset of ImageNet. The photographs belong to their owners; ImageNet "
        "gives access to them for non-commercial research and education only. No image is shipped "
        "with these weights. Whoever uses the weights otherwise must judge these terms alone."
    ),
}
LIMITS = (
    "The backbone knows only the classes, sizes and styles of its training images. It was trained "
    "once, with one seed: variation from another pretraining is not in any interval of the book. "
    "It was not tested for fairness or safety and is not meant for decisions about people."
)


def facts(begun: dict[str, Any], images: Images, unseen: int, accuracy: float) -> dict[str, Any]:
    """The card of a pretraining from what it was begun with: names and values, ready for JSON."""
    return {
        **begun["config"],
        "images": len(images),
        "classes": len(images.classes),
        "unseen_images": unseen,
        "test_accuracy": round(accuracy, 4),
        "environment": begun["environment"],
        "terms": TERMS.get(str(begun["config"]["dataset"]), "Those of the images."),
    }


def text(name: str, card: dict[str, Any]) -> str:
    """The card as Markdown."""
    dataset = str(card["dataset"])
    return f"""# {name}

Backbone of timm's `{card["model"]}`, pretrained for Lethe; the head is left out.

| | |
|---|---|
| task | {TASKS.get(dataset, "classify the images of this data set")} |
| data | `{dataset}`, {card["images"]:,} images of {card["classes"]} classes |
| fingerprint of the data | `{card["fingerprint"]}` |
| accuracy | {card["test_accuracy"]:.1%} of {card["unseen_images"]:,} held-out images |
| seed | {card["seed"]} |

**Use.** Starting point of the fine-tuning runs whose traces the book reads, and of your own.
{LIMITS}

**Licence.** The weights: CC BY 4.0, as far as the rights in the data allow. {card["terms"]}

## Recipe

{table(card["recipe"])}

## Environment

{table(card["environment"])}
"""


def table(entries: Mapping[str, object]) -> str:
    """A dict as a Markdown table of two columns."""
    rows = [f"| {name} | {value} |" for name, value in entries.items()]
    return "\n".join(["| setting | value |", "|---|---|", *rows])


def read(file: Path) -> dict[str, Any]:
    """The card in a weights file; LetheError if the file is damaged or carries none."""
    try:
        with safe_open(file, "pt") as stored:
            metadata = stored.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise LetheError(
            f"{file} is not a readable safetensors file ({error}): remove it to pretrain anew"
        ) from None
    if "card" in metadata:
        return json.loads(metadata["card"])
    if "recipe" not in metadata:
        raise LetheError(f"{file} carries no model card: choose another --out, or remove it")
    return {**metadata, "recipe": json.loads(metadata["recipe"])}  # as stored before `card`
