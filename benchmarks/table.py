"""The benchmark's numbers as Markdown: rates, ratios with their rival, the roof. Cost: none."""

from __future__ import annotations

from typing import Any

COLUMNS = (
    "cell",
    "train img/s",
    "timm loader img/s",
    "ratio",
    "share of roof",
    "train view / none",
    "recorder share",
    "inference img/s",
    "eval view img/s",
    "eval view / inference",
    "first epoch s",
)


def markdown(result: dict[str, Any]) -> str:
    """The whole page: what was measured on what, a row a cell, the gap between seeds."""
    about, roof = result["environment"], result["roof"]
    rows = [row(name, cell) for name, cell in result["cells"].items()]
    lines = [
        f"# Capture on {about['device']}",
        "",
        f"torch {about['torch']}, timm {about['timm']}, {about['threads']} threads, "
        f"{about['precision']}, deterministic; timm's loader has {about['loader_workers']} workers "
        f"on {about['cores']} cores. Roof: {roof['flops'] / 1e12:.3g} TFLOP/s in a matrix product, "
        f"{roof['bandwidth'] / 1e9:.3g} GB/s in a copy.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|---|" + "---:|" * (len(COLUMNS) - 1),
        *rows,
        "",
        gap_line(result.get("gap")),
        "",
    ]
    return "\n".join(lines)


def row(name: str, cell: dict[str, Any]) -> str:
    """One cell as a table row."""
    rate, roof = cell["images_per_second"], cell["training_roof"]["roof"]
    values = (
        name,
        f"{rate['train']:,.0f}",
        f"{rate['timm']:,.0f}",
        f"{cell['lethe_over_timm']:.2f}",
        f"{rate['train'] / roof:.0%}",
        f"{cell['train_view_over_train']:.3f}",
        f"{cell['recorder_share']:.2%}",
        f"{rate['inference']:,.0f}",
        f"{rate['eval view']:,.0f}",
        f"{cell['eval_view_over_inference']:.3f}",
        f"{cell['first_seconds']['train']:.1f}",
    )
    return "| " + " | ".join(values) + " |"


def gap_line(gap: dict[str, Any] | None) -> str:
    """The time between two seeds in words."""
    if not gap:
        return "Time between two seeds: not measured yet."
    return (
        f"Between two seeds of {gap['model']} in one process: {gap['gap_seconds']:.2f} s, "
        f"{gap['waiting_seconds']:.2f} s of it without clean passes and head warm-up."
    )
