"""What the benchmark measures: models, sizes, batches. Cost: none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One row of the table; `images` an epoch, `turns` of the arms."""

    model: str
    preset: str
    pixels: int
    batch: int
    compiled: bool = False
    images: int = 1024
    turns: int = 5

    @property
    def name(self) -> str:
        """The cell's key in capture.json."""
        kind = "compiled" if self.compiled else "eager"
        return f"{self.model} {self.pixels}px batch {self.batch} {kind}"


QUICK = (
    Cell("test_resnet", "quick", 32, 64),
    Cell("test_vit", "quick", 32, 48, images=1008),
    Cell("resnet18", "quick", 32, 64, images=256, turns=3),
)
REHEARSAL = (Cell("test_resnet", "quick", 32, 64, images=128, turns=1),)
FULL = tuple(
    Cell(model, preset, pixels, batch, compiled, images=4096, turns=3)
    for preset, pixels, batch, compiled in (
        ("book", 64, 128, False),
        ("paper", 224, 256, False),
        ("paper", 224, 64, False),
        ("paper", 224, 256, True),
        ("book", 64, 512, False),
        ("paper", 224, 512, False),
        ("book", 64, 128, True),
    )
    for model in ("resnet18", "deit_small_patch16_224")
)
