"""Records of texts: words for them, galleries of hostile texts, the record that is shipped.

The page itself runs in `test_notebooks`.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from simulated_stores import write_stores

from lethe import traces
from lethe.analysis import scores
from lethe.analysis.findings import main_numbers, prediction
from lethe.analysis.findings.seed_stability import seed_stability
from lethe.errors import LetheError
from lethe.pages import book, charts, dataset_facts, render, sample_gallery, stores
from lethe.pages.sample_words import SHOWN, called, noun, one_line, texts
from lethe.pages.text_gallery import text_list

ROOT = Path(__file__).parents[1]
SOME = ("mail", "games", "net")
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script> & \"quotes\" 'single' \\ back",
    "two\nlines\tand\u2028more\x00\x1b[31m",
    "שלום עולם and \u202eright to left\u202c",
    "👩\u200d🔬 tests 🧪",
    "w" * 10_000,
    "",
    "   ",
    "{braces} {0} %s $x^2$ `code` **bold**",
]


def record(columns=True, dataset="mine"):
    """Traces of two networks on the hostile texts."""
    rng = np.random.default_rng(0)
    more = {"columns": pd.DataFrame({"text": HOSTILE})} if columns else {}
    return [
        traces.from_arrays(
            rng.integers(0, 2, (3, 9, len(HOSTILE))),
            np.arange(len(HOSTILE)) % 2,
            sample=[f"<b>{k}</b>" for k in range(len(HOSTILE))],
            classes=["a & b", "c"],
            dataset=dataset,
            model=model,
            **more,
        )
        for model in ("one", "two")
    ]


def test_a_record_says_what_its_samples_are():
    assert noun(record()[0]) == "text"
    assert noun(record(columns=False)[0]) == "sample"
    assert noun(record(columns=False, dataset="glyphs")[0]) == "image"
    files = record(columns=False)[0].assign_coords(sample=[f"{k}.JPG" for k in range(len(HOSTILE))])
    assert noun(files) == "image"
    assert noun(traces.open_traces("cifar7-test_vit-quick")) == "image"


def test_words_about_images_follow_the_record():
    assert called("Pick an image: all images.", "text") == "Pick a text: all texts."
    assert called("An image's trace, image-only", "sample") == "A sample's trace, sample-only"
    assert called("An old image is an image", "image") == "An old image is an image"
    assert called("imagery of imagemagick", "text") == "imagery of imagemagick"


def test_a_text_is_one_clean_line():
    lines = [one_line(text) for text in HOSTILE]
    assert all(len(line) <= SHOWN and len(line.splitlines()) <= 1 for line in lines)
    assert lines[2] == "two lines and more[31m"
    assert lines[3] == "שלום עולם and right to left"
    assert lines[4] == HOSTILE[4]  # the joiner that makes one sign of two
    assert lines[5] == "w" * (SHOWN - 1) + "…"
    assert lines[6] == lines[7] == ""
    assert one_line("x" * SHOWN) == "x" * SHOWN
    assert one_line("a " * 10**6).endswith("…")
    assert texts(record(columns=False)[0], [0, 2]) == ["", ""]


def test_a_list_of_texts_escapes_everything():
    ds = record()[0]
    rows = np.arange(len(HOSTILE))
    html = dataset_facts.sheet(ds, rows, ["<i>"] * len(rows), "<u>", {"one": ds}).data
    for tag in ("<script", "<b>", "<i>", "<u>", "<!--"):
        assert tag not in html
    assert html.count("<li>") == html.count("<img") == len(rows)
    assert html.count('<p dir="auto">') == len(rows) - 2  # two have no text
    assert "&lt;b&gt;0&lt;/b&gt; (a &amp; b): &lt;i&gt;" in html
    assert html.count('alt="one, lost in ') == len(rows)
    with pytest.raises(LetheError, match="1 texts, 2 captions"):
        text_list(["a"], ["b", "c"], title="t")


def test_without_picture_and_text_a_sheet_shows_id_and_label():
    html = dataset_facts.sheet(record(columns=False)[0], [1], ["lost"], "Most").data
    assert "&lt;b&gt;1&lt;/b&gt; (c): lost" in html
    assert "<p dir" not in html


def test_a_gallery_of_texts_shows_them_and_breaks_out_of_nothing():
    pair = record()
    x, y = (sample_gallery.Number(np.arange(9.0) ** power, "n") for power in (1, 2))
    chart = sample_gallery.sample_gallery(pair, x, y, np.arange(9), title="t")
    rows = next(iter(chart.to_dict()["datasets"].values()))
    assert all(len(row["text"].splitlines()) <= 4 for row in rows)
    assert {row["url"] for row in rows} == {""}
    html = render.mimebundle(chart.to_dict())["text/html"]
    assert "<script>alert" not in html
    assert "text, from hard to easy" in str(chart.to_dict())
    told = chart.to_dict()["usermeta"]["table"]
    assert set(told) >= {"text", "what it says"}
    assert "9 texts as points" in chart.to_dict()["description"]


def test_a_comment_in_a_text_does_not_swallow_the_page():
    """`<!--<script>` would hide the end of the script from the browser."""
    chart = charts.bars(["<!--<script>"], [1.0], x_title="x", title="t", description="d")
    html = render.book_html(chart.to_dict())
    assert "<!--" not in html.split("<script>")[1]


def test_thumbnails_that_cannot_be_read_break_no_page(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_DATA", str(tmp_path))
    (tmp_path / "thumbnails").mkdir()
    (tmp_path / "thumbnails" / "octdl.png").write_bytes(b"no picture")
    (tmp_path / "thumbnails" / "octdl.csv").write_text("sample_id,label\na,b\n")
    ds = record(columns=False, dataset="octdl")[0]
    assert dataset_facts.pictures(ds) == {}
    assert "not here" in dataset_facts.sheet(ds, [0], ["x"], "t").data


def test_a_page_speaks_of_what_its_stores_hold(monkeypatch):
    said = []
    monkeypatch.setattr(book, "display", lambda what, **_: said.append(getattr(what, "data", what)))
    page = book.start("any", {})
    book.text(page, "All images.")
    page.units = ["text", "text"]
    book.text(page, "All images.")
    page.units.append("image")
    book.text(page, "An image.")
    assert said == ["All images.", "All texts.", "A sample."]


def test_the_main_numbers_are_those_of_the_findings(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_DATA", str(tmp_path))
    write_stores(tmp_path)
    pair = stores.open_pair(book.start("any", {}), "mine", ["test_resnet", "test_vit"], "quick")
    found = main_numbers.main_numbers(pair, np.random.default_rng(0), 20, 2)
    assert list(found) == ["one", "two", "three", "four", "five"]
    rng = np.random.default_rng(1)
    direct = seed_stability(pair[0], "decay_rate", rng, 20, 2)
    assert found["three"].interval.estimate == pytest.approx(direct.rho.estimate)
    early, late = (scores.score(pair[0], s).values for s in ("warmup_loss", "decay_rate"))
    mean = np.mean(prediction.run_correlations(early, late))
    assert found["five"].interval.estimate == pytest.approx(mean)
    for number in found.values():
        assert number.interval.low <= number.interval.estimate <= number.interval.high
        assert number.null[0] <= number.null[1]
        assert number.ceiling[0] <= number.ceiling[1]
    with pytest.raises(LetheError, match="two stores, not of 1"):
        main_numbers.main_numbers(pair[:1], rng)


def test_the_shipped_record_is_whole():
    pair = [traces.open_traces(f"debian_sections-{m}-imported") for m in ("ngram_bag", "char_cnn")]
    stores.check_alike(*pair)
    for ds in pair:
        assert dict(ds.sizes) == {"seed": 10, "epoch": 21, "sample": 3010}
        assert len(traces.class_names(ds)) == 20
        assert ds["text"].values.astype(bool).all()
        assert float(ds["test_accuracy"][:, -1].mean()) > 0.5  # guessing gives 0.06
        assert Path(ds.encoding["source"]).stat().st_size < 4_000_000


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import text_record

    yield text_record
    sys.modules.pop("text_record", None)


AVAILABLE = """Package: mutt
Section: mail
Description: text-based mailreader
 with a long part: of two lines

Package: mutt-doc
Source: mutt
Section: mail
Description: documentation for mutt

Package: libfoo1
Source: foo (1.2)
Section: games
Description: a game: with a colon

Package: foo
Section: non-free/games
Description: the game itself

Package: none
Section: libs
Description: a library
"""


def test_packages_are_read_and_one_is_taken_of_each_source(script, tmp_path):
    (tmp_path / "a").write_text(AVAILABLE)
    table = script.packages(tmp_path / "a")
    assert table["source"].tolist() == ["mutt", "mutt", "foo", "foo", "none"]
    assert table["text"].tolist()[2] == "a game: with a colon"
    kept = script.sample(table)
    assert dict(zip(kept["package"], kept["section"])) == {"foo": "games", "mutt": "mail"}


def test_a_log_of_the_script_becomes_a_store_with_its_texts(script, tmp_path):
    rows = [
        (s, f"p{k}{s}", c, f"{c} {k}") for s in ("train", "test") for k in range(4) for c in SOME
    ]
    rows = [(s, f"{name}-{c}", c, text) for s, name, c, text in rows]
    table = pd.DataFrame(rows, columns=["split", "package", "section", "text"])
    table.to_csv(tmp_path / "samples.csv", index=False)
    for seed in (0, 1):
        script.train(table, "ngram_bag", seed, tmp_path / "ngram_bag" / f"seed-{seed}", 0.01, 2)
    told = {"debian": "x", "date": "y"}
    ds = traces.open_traces(script.pack(tmp_path, "ngram_bag", told, tmp_path / "out"))
    assert (ds.attrs["view"], ds.sizes["epoch"], ds.sizes["sample"]) == ("eval", 3, 12)
    assert dict(zip(ds["sample"].values, ds["text"].values)) == dict(
        table[table["split"] == "train"][["package", "text"]].itertuples(index=False)
    )
    assert noun(ds) == "text"
    assert ds["test_accuracy"].notnull().all()
