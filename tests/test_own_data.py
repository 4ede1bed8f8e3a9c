"""Pages and the book on traces of one's own: what is refused, what goes where, and end to end.

The slow tests take a data set through all finding pages and through the whole book.
"""

import json

import pytest
from simulated_stores import write_stores

from lethe.errors import LetheError
from lethe.pages import build, describe, findings, own_book, rerun
from lethe.pages.inspect_html import problems, read_page

HEADER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # {title}

# %% tags=["parameters"]
"""
STORES = """dataset: str = "mine"  # data set
beside: str = ""  # second one
models: list[str] = ["test_resnet", "test_vit"]  # networks
preset: str = "quick"  # preset
"""
BODY = """
# %%
from lethe.pages import book, stores

page = book.start("{name}", dict(dataset=dataset, beside=beside, {extra}={extra}))
pair = stores.open_pair(page, dataset, models, preset)
assert {extra} != 13, "an unlucky number"
book.record(page, "rho", 0.4, 0.3, 0.5, n_seeds=pair[0].sizes["seed"])
book.verdict(page, f"on {{dataset}}, rho < 1 & above 0.", book.above(page, "rho", 0))
book.finish(page)
"""
PAGES = {"finding_1_small": "draws", "finding_2_other": "window"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Two finding pages and one other, and the stores of a data set `mine`."""
    root = tmp_path_factory.mktemp("checkout")
    (root / "notebooks").mkdir()
    for name, extra in PAGES.items():
        page = HEADER.format(title=f"A page: {name}?") + STORES + f"{extra}: int = 3  # a number\n"
        page += BODY.format(name=name, extra=extra)
        (root / "notebooks" / f"{name}.py").write_text(page)
    other = HEADER.format(title="Alone") + "number: int = 3  # a number\n\n# %%\nnumber\n"
    (root / "notebooks" / "alone.py").write_text(other)
    write_stores(root / "data", sizes=(20, 10), seeds=6, epochs=5)
    return root


@pytest.fixture(autouse=True)
def use_checkout(request, checkout, monkeypatch):
    if "real_pages" not in request.fixturenames:
        monkeypatch.setattr(rerun, "ROOT", checkout)
        monkeypatch.setattr(build, "ROOT", checkout)
        monkeypatch.setenv("LETHE_DATA", str(checkout / "data"))


def test_only_finding_pages_are_findings():
    assert findings.finding_pages() == list(PAGES)


def test_the_parameters_of_all_findings_are_described():
    told = " ".join(describe.describe("findings").split())
    assert told.index("finding_1_small: ") < told.index("finding_2_other: ")
    assert "draws int 3 more than 0 a number" in told
    assert "window int 3 a number" in told
    assert "number int" not in told


def test_each_parameter_goes_to_the_pages_that_have_it():
    given = {"dataset": "mine", "draws": "5", "window": "7"}
    shares = findings.share_out(given, findings.finding_pages())
    assert shares["finding_1_small"] == {"dataset": "mine", "draws": "5"}
    assert shares["finding_2_other"] == {"dataset": "mine", "window": "7"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dataset": "mime"}, "dataset 'mime' has no traces; did you mean 'mine'"),
        ({"beside": "glyphs", "dataset": "mine"}, "beside 'glyphs' has no traces"),
        ({"models": "test_resnet,test_vt"}, "models: 'test_vt' .* did you mean 'test_vit'"),
        ({"preset": "book"}, "preset 'book' has no traces"),
        ({"drws": "5"}, "no finding has a parameter 'drws'; did you mean 'draws'"),
        ({"window": "0x"}, "window is of type int, not '0x'"),
        ({"draws": "0"}, "draws must be more than 0"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_runs(given, message, tmp_path):
    with pytest.raises(LetheError, match=message) as error:
        findings.rerun_findings(given, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def made(checkout, tmp_path_factory):
    """All findings run once; the second page fails on purpose."""
    out = tmp_path_factory.mktemp("out") / "new"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rerun, "ROOT", checkout)
        patch.setenv("LETHE_DATA", str(checkout / "data"))
        with pytest.raises(LetheError, match="finding_2_other stopped: an unlucky number") as error:
            findings.rerun_findings({"dataset": "mine", "window": "13"}, out)
    assert "\n" not in str(error.value)
    return out


def test_pages_that_ran_are_kept_when_another_fails(made):
    record = json.loads((made / "finding_1_small.json").read_text())
    assert record["given"] == {"dataset": "mine"}
    assert (made / "finding_1_small.html").exists()
    assert not (made / "finding_2_other.html").exists()


def test_the_index_holds_verdicts_stores_and_links_and_needs_no_network(made):
    html, seen = (made / "index.html").read_text(), read_page(made / "index.html")
    assert seen.loads == []
    assert '<a href="finding_1_small.html">A page: finding_1_small?</a>' in html
    assert "<strong>upheld</strong>" in html
    assert "rho &lt; 1 &amp; above 0." in html
    assert "mine-test_vit-quick.zarr.zip: 6 seeds" in html
    assert "lethe rerun findings -p dataset=mine -p window=13" in html
    assert "finding_2_other.html" not in html


def test_the_book_sets_pages_with_a_data_set_and_leaves_the_others(checkout):
    given = {"dataset": "mine", "beside": "", "models": "test_vit,test_resnet", "preset": "quick"}
    values = own_book.values_for(given, checkout)
    assert set(values) == set(PAGES)
    assert values["finding_1_small"]["models"] == ["test_vit", "test_resnet"]
    assert own_book.values_for({}, checkout) == {}


def test_glyphs_stand_beside_only_if_their_traces_are_there(checkout, monkeypatch):
    pair = ("test_resnet", "test_vit")
    assert own_book.beside("mine", pair, "quick") == ""
    monkeypatch.setattr(own_book, "BESIDE", "mine")
    assert own_book.beside("mine", pair, "quick") == ""
    assert own_book.beside("other", pair, "quick") == "mine"
    assert own_book.beside("other", ("resnet18", "test_vit"), "quick") == ""


@pytest.fixture
def built(monkeypatch):
    """Calls of `build.build`, which here builds nothing."""
    calls = []
    monkeypatch.setattr(build, "build", lambda out, **options: calls.append((out, options)))
    return calls


def test_a_book_on_own_data_has_a_folder_of_its_own(built, checkout):
    own_book.build_book("mine", strict=True)
    own_book.build_book()
    (own, options), (plain, default) = built
    assert own == checkout / "_build" / "books" / "mine"
    assert options["values"]["finding_1_small"]["dataset"] == "mine"
    assert options["strict"]
    assert plain == checkout / "_build"
    assert default["values"] == {}


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"dataset": "mime"}, "dataset 'mime' has no traces; did you mean 'mine'"),
        ({"dataset": "mine", "models": ("test_resnet",)}, "models are two networks"),
        ({"dataset": "mine", "preset": "bok"}, "preset 'bok' has no traces"),
    ],
)
def test_a_book_on_unknown_traces_is_refused(built, choices, message):
    with pytest.raises(LetheError, match=message):
        own_book.build_book(**choices)
    assert built == []


def test_values_reach_the_executed_page(checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_RESULTS", str(tmp_path / "results"))
    values = {"finding_1_small": {"draws": 5, "dataset": "mine"}}
    outcome = build.execute("finding_1_small", checkout, tmp_path, values)
    assert outcome.error == ""
    record = json.loads((tmp_path / "results" / "finding_1_small.json").read_text())
    assert record["parameters"]["draws"] == 5


@pytest.fixture(scope="module")
def real_pages(tmp_path_factory):
    """The shipped data with the stores of a small data set `mine` beside."""
    home, data = build.ROOT / "data", tmp_path_factory.mktemp("own")
    write_stores(data)
    for path in home.iterdir():
        if path.name != "traces":
            (data / path.name).symlink_to(path)
    for path in (home / "traces").glob("*.zarr.zip"):
        (data / "traces" / path.name).symlink_to(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LETHE_DATA", str(data))
        yield data


@pytest.mark.slow
def test_own_traces_go_through_all_findings(real_pages, tmp_path):
    few = {"draws": "20", "bootstrap": "20", "null_draws": "9", "ceiling_draws": "2"}
    index = findings.rerun_findings({"dataset": "mine", "beside": "", **few}, tmp_path)
    html = index.read_text()
    for page in findings.finding_pages():
        assert f'href="{page}.html"' in html
        record = json.loads((tmp_path / f"{page}.json").read_text())
        assert record["parameters"]["dataset"] == "mine"
        assert {store["name"] for store in record["stores"]} == {
            f"mine-{model}-quick.zarr.zip" for model in ("test_resnet", "test_vit")
        }
        assert record["verdicts"]
        assert all(verdict["claim"].startswith("on mine, ") for verdict in record["verdicts"])


@pytest.mark.slow
def test_own_traces_go_through_the_whole_book(real_pages, tmp_path):
    html = own_book.build_book("mine", out=tmp_path)
    assert problems(html) == []
    front = (html / "notebooks" / "at_a_glance.html").read_text()
    assert "<p>mine</p>" in front
    assert "<p>glyphs</p>" in front
    record = json.loads((tmp_path / "results" / "finding_3_seed_stability.json").read_text())
    assert (record["parameters"]["dataset"], record["parameters"]["beside"]) == ("mine", "glyphs")
