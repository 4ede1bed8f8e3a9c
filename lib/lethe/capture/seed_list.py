"""Seeds as people write them: `0-9`, `3` or `0,2,5-7`. Cost: none."""

from __future__ import annotations

from lethe.errors import LetheError

MOST = 100_000


def parse_seeds(text: str) -> list[int]:
    """`0-9`, `3` or `0,2,5-7` as a list of seeds; LetheError for anything else."""
    seeds: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            numbers = range(int(first), int(last or first) + 1)
            if numbers.stop - numbers.start > MOST:
                raise LetheError(f"{text!r} are more than {MOST:,} seeds")
            seeds.extend(numbers)
    except LetheError:
        raise
    except ValueError:
        raise LetheError(f"seeds are written like 0-9 or 0,2,5-7, not {text!r}") from None
    if not seeds:
        raise LetheError(f"no seed in {text!r}: write it like 0-9")
    return seeds
