"""The same numbers side by side, the table of claims, and twins of a store."""

import pandas as pd
import pytest
from simulated_stores import write_stores

from lethe import traces
from lethe.errors import LetheError
from lethe.pages import book, side_by_side

HEADS = {"": "glyphs", "_beside": "cifar7"}


@pytest.fixture
def page():
    made = book.start("a_page", {})
    book.record(made, "rho", 0.5, 0.4, 0.6, n_seeds=10)
    book.record(made, "rho_beside", 0.2, 0.1, 0.3, n_seeds=10)
    book.record(made, "only_here", 3, fmt=".0f")
    book.verdict(made, "on glyphs, it repeats.", book.above(made, "rho", 0))
    return made


@pytest.fixture
def shown(monkeypatch):
    """What a function displays."""
    seen = []
    monkeypatch.setattr(side_by_side, "display", seen.append)
    return seen


def test_claims_are_filled_with_the_numbers_of_every_data_set(page, shown):
    rows = [("A claim.", "A need.", "{rho}, seeds {only_here}", "it repeats.")]
    side_by_side.claims(page, HEADS, rows)
    head, rule, row = shown[0].data.splitlines()
    assert [cell.strip() for cell in head.strip("|").split("|")] == [
        "the paper's claim",
        "what it would need",
        "what we see",
    ]
    assert set(rule) <= set("|-")
    assert "glyphs: 0.50 [0.40, 0.60], seeds 3 (**upheld**)" in row
    assert "cifar7: 0.20 [0.10, 0.30], seeds not measured |" in row


def test_a_table_has_a_column_for_every_store_and_for_the_paper(page):
    parts = {"rho": "two seeds", "only_here": "a count"}
    table = side_by_side.table(page, HEADS, parts, {"rho": "about 0.01"})
    assert list(table.columns) == ["glyphs", "cifar7", side_by_side.PAPER]
    assert table.loc["two seeds"].tolist() == [
        "0.50 [0.40, 0.60]",
        "0.20 [0.10, 0.30]",
        "about 0.01",
    ]
    assert table.loc["a count"].tolist() == ["3", "", "not reported"]
    assert list(side_by_side.table(page, {"": "glyphs"}, parts).columns) == ["glyphs"]


def test_a_chart_refuses_a_number_that_is_not_there(page):
    with pytest.raises(LetheError, match="no result 'only_here_beside'"):
        side_by_side.chart(page, HEADS, {"only_here": "x"}, title="t", x_title="x")


def test_a_folded_table_can_be_opened_and_is_escaped():
    html = side_by_side.folded(pd.DataFrame({"a": ["<b>"]}), "1 < 2").data
    assert html.startswith('<details class="lethe-table"><summary>1 &lt; 2</summary>')
    assert "&lt;b&gt;" in html


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    made = write_stores(data, sizes=(8, 6), seeds=2, epochs=4)
    (data / "traces" / "mine-test_resnet-quick+threads2.zarr.zip").write_bytes(made[0].read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LETHE_DATA", str(data))
        yield [traces.open_traces(str(path)) for path in made]


def test_a_twin_is_found_by_name_and_noted_on_the_page(page, stores):
    turned = stores[0].isel(sample=slice(None, None, -1))
    twin = side_by_side.open_twin(page, turned, "threads2")
    assert twin["sample"].values.tolist() == turned["sample"].values.tolist()
    assert len(page.stores) == 1
    assert side_by_side.open_twin(page, stores[1], "threads2") is None
    assert side_by_side.open_twin(page, stores[0], "threads3") is None
    assert len(page.stores) == 1


def test_stores_are_named_by_data_set_and_network(stores):
    of = side_by_side.stores_by_end(stores, [])
    assert list(of) == ["", "_other"]
    assert list(side_by_side.stores_by_end(stores, stores)) == list(side_by_side.ENDS)
    assert side_by_side.headings(of) == {"": "mine", "_other": "mine"}
    assert side_by_side.headings(of, ["a", "b"]) == {"": "mine, a", "_other": "mine, b"}


def test_verdicts_are_compared_in_words(stores):
    alone = side_by_side.compared(stores[0], [], ["upheld"], [])
    assert alone == "No second data set stands beside: all of this is about mine."
    words = side_by_side.compared(stores[0], stores, ["upheld", "cannot tell"], ["upheld"] * 2)
    assert words.endswith("Verdicts that are the same on both: 1 of 2.")
