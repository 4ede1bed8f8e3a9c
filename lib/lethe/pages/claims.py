"""The claims that the book tests, each with what was reported and where it is tested.

What is ours, number and verdict, is read from the results of the pages; nothing is typed here but
the papers' own claims, in our words. Cost: milliseconds; the pages have been executed before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from IPython.display import HTML

from lethe.pages.about import about
from lethe.pages.verdicts import Record, by_claim, headline, mark

ROOT = Path(__file__).resolve().parents[3]
HEAD = ("claim, in our words", "verdict", "why")


@dataclass(frozen=True)
class Claim:
    """A claim of a paper; `begins` is how the claims of `page` that test it begin."""

    words: str
    reported: str  # with the tag of the evidence
    page: str
    begins: tuple[str, ...]
    key: str = ""  # the number of the page to show beside the reasons


OF_THE_PAPER = (
    Claim(
        "Two architectures forget fundamentally different samples.",
        "Jaccard 0.34 (OCTDL) and 0.15 (CUB-200) of the top tenths [A]",
        "finding_1_architecture_overlap",
        ("the two architectures forget", "two architectures share less"),
        "between",
    ),
    Claim(
        "A sample's retention decays exponentially, and better so for the transformer.",
        "mean R² 0.74 (DeiT-Small) and 0.52 (ResNet-18), a gap of 0.22 [A]",
        "finding_2_curve_fit",
        ("an exponential fits", "an exponential describes", "the order of the epochs", "test_vit"),
        "headline",
    ),
    Claim(
        "What one sample suffers does not repeat over seeds.",
        "Spearman about 0.01 [A]",
        "finding_3_seed_stability",
        ("which images are forgotten is chance", "two seeds agree as well"),
        "rho",
    ),
    Claim(
        "What a class suffers does repeat; look-alikes are forgotten most.",
        "in words only [A]",
        "finding_4_classes",
        ("which classes", "the order of the classes", "classes that"),
        "headline",
    ),
    Claim(
        "The loss after the head warm-up predicts the decay rate.",
        "rank correlation 0.30 to 0.50, all p < 1e-45 [A]",
        "finding_5_early_loss",
        ("the loss after warm-up predicts", "the loss knows more"),
        "headline",
    ),
    Claim(
        "A spaced-repetition sampler does not beat random order.",
        "in words only [A]",
        "sampler_spaced_repetition",
        (
            "averaged over all cells",
            "spaced repetition does not outperform",
            "spaced repetition does not reduce",
            "spaced repetition does not raise",
        ),
    ),
)
OF_NEIGHBOURS = (
    Claim(
        "FLOW: weighting easy samples up keeps more of an old task at nearly the same accuracy.",
        "main text and released code read; other tasks and networks",
        "flow",
        (
            "test_resnet, old BatchNorm put back, at a goal that both reach",
            "test_vit, at a goal that both reach",
        ),
    ),
    Claim(
        "mix-cd: old samples that are being lost lie densely in some bins; rehearse those.",
        "in words only [A], summary [T]",
        "rehearsal",
        ("without rehearsal, damage", "at equal target accuracy"),
    ),
    Claim(
        "Two-mode mixtures: training on new data sends the old weight to 0 under forward KL, not "
        "under reverse KL; drift is controlled by the overlap.",
        "in words only [A]",
        "mixture_forgetting",
        ("Forward KL on new data sends", "Reverse KL from", "Reverse KL arrives", "Under reverse"),
    ),
    Claim(
        "Two ways to forget, in a classifier: most of the loss is mass.",
        "not claimed there; our transfer of the split [I]",
        "mass_or_drift",
        ("without replay, most", "most of the drift", "replay keeps"),
    ),
    Claim(
        "Training memory: the optimizer's state and the order leave a trace in what follows.",
        "in words only [A]",
        "training_memory",
        ("A reset of the optimizer", "Ten batches swapped", "The trace of the optimizer"),
    ),
    Claim(
        "Back-flow: two trainings can come closer and part again only through a hidden memory.",
        "in words only [A]",
        "back_flow",
        ("back-flow is positive", "the break takes", "no back-flow is left"),
    ),
)


def titles(root: Path = ROOT) -> dict[str, str]:
    """The title of every notebook page by its name."""
    sources = sorted((root / "notebooks").glob("*.py"))
    return {path.stem: about(path, root / "_build" / "results").title for path in sources}


def pages(root: Path = ROOT) -> list[str]:
    """The pages that give verdicts, found by the call in their source.

    Without the quickstart: its two seeds are a demonstration, and its numbers the machine's own.
    """
    sources = {path.stem: path.read_text("utf-8") for path in (root / "notebooks").glob("*.py")}
    named = sorted(name for name, text in sources.items() if "book.verdict(" in text)
    return [name for name in named if name != "quickstart"]


def matching(record: Record, claim: Claim) -> dict[str, dict[str, dict[str, str]]]:
    """What tests a claim on its page: its parts by data set."""
    parts = by_claim(record)
    return {words: parts[words] for words in parts if words.startswith(claim.begins)}


def others(found: Mapping[str, Record], claims: Sequence[Claim]) -> dict[str, Record]:
    """The pages with those verdicts alone that no claim of `claims` matches; none empty."""
    left: dict[str, Record] = {}
    for name, record in found.items():
        taken = {
            verdict["claim"]
            for claim in claims
            if claim.page == name
            for by_data in matching(record, claim).values()
            for verdict in by_data.values()
        }
        rest = [v for v in record["verdicts"] if v["claim"] not in taken]
        left |= {name: dict(record) | {"verdicts": rest}} if rest else {}
    return left


def table(found: Mapping[str, Record], claims: Sequence[Claim], about: str = "") -> HTML:
    """The claims as a table, each with its parts; only those that hold the word `about`, if any."""
    rows = ""
    for claim in claims:
        parts = _parts(matching(found[claim.page], claim), about, claim.page, claim.words)
        rows += _head(_stated(found[claim.page], claim)) + parts if parts else ""
    return _html(rows, about)


def table_of_others(found: Mapping[str, Record], about: str = "") -> HTML:
    """The verdicts that the tables of the papers' claims do not show, by page."""
    named, rows = titles(), ""
    for name, record in others(found, [*OF_THE_PAPER, *OF_NEIGHBOURS]).items():
        parts = _parts(by_claim(record), about, name)
        rows += _head(_link(name, named.get(name, name))) + parts if parts else ""
    return _html(rows, about)


def _stated(record: Record, claim: Claim) -> str:
    """A claim with what was reported, and our number for it."""
    numbers = [f"{on} {r}" for on, r in headline(record, claim.key).items()] if claim.key else []
    ours = f"<br/>Ours: {escape(', '.join(numbers))}." if numbers else ""
    return (
        f"{escape(claim.words)} {_link(claim.page, 'Tested here.')}"
        f"<br/><small>Reported: {escape(claim.reported)}.{ours}</small>"
    )


def _parts(parts: Mapping[str, Mapping[str, dict[str, str]]], about: str, *known: str) -> str:
    """The parts of a claim as rows: what, verdict, why; a line for each data set."""
    rows = ""
    for words, by_data in parts.items():
        kept = {on: v for on, v in by_data.items() if _holds(about, v["claim"], *known)}
        marks = "<br/>".join(f"{mark(v['word'])} {escape(on)}" for on, v in kept.items())
        why = "<br/>".join(
            escape(f"{on}: {v['reason']}" if on else v["reason"]) for on, v in kept.items()
        )
        rows += f"<tr><td>{escape(words)}</td><td>{marks}</td><td>{why}</td></tr>" if kept else ""
    return rows


def _head(text: str) -> str:
    return f'<tr><th scope="rowgroup" colspan="3">{text}</th></tr>'


def _holds(about: str, *texts: str) -> bool:
    return any(about.lower() in text.lower() for text in texts)


def _link(page: str, words: str) -> str:
    return f'<a href="{page}.html">{escape(words)}</a>'


def _html(rows: str, about: str) -> HTML:
    if not rows:
        return HTML(f'<p class="lethe-claims">No claim here holds the word {escape(about)}.</p>')
    top = "".join(f'<th scope="col">{name}</th>' for name in HEAD)
    return HTML(
        '<div class="lethe-claims" tabindex="0" role="region" aria-label="Claims and verdicts">'
        f"<table><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
