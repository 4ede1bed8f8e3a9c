"""lethe.capture.sweep.product: tables become runs, in order, and what is wrong is named."""

import re
from pathlib import Path

import pytest

from lethe.capture import plan_run
from lethe.capture.sweep import read_sweep
from lethe.capture.sweep.packing import pack_sweep, same_but_seed
from lethe.capture.sweep.product import KEYS
from lethe.errors import LetheError

START = '[[runs]]\ndataset = "glyphs"\nmodel = "test_resnet"\n'


def sweep(tmp_path, text):
    (tmp_path / "sweep.toml").write_text(text, "utf-8")
    return read_sweep(tmp_path / "sweep.toml")


def test_a_table_is_a_product_and_the_last_entry_varies_fastest(tmp_path):
    text = START.replace('"test_resnet"', '["test_resnet", "test_vit"]') + (
        'seeds = ["0-1", 7]\nlabel_noise = ["", "symmetric:0.05"]\n'
        "[runs.settings]\nepochs = [2, 3]\n"
    )
    found = sweep(tmp_path, text)
    assert (len(found.runs), found.merged) == (24, 0)
    told = [(r.model, r.seed, r.label_noise, r.recipe.epochs) for r in found.runs[:5]]
    assert told == [
        ("test_resnet", 0, "", 2),
        ("test_resnet", 0, "", 3),
        ("test_resnet", 0, "symmetric:0.05", 2),
        ("test_resnet", 0, "symmetric:0.05", 3),
        ("test_resnet", 1, "", 2),
    ]
    assert [run.seed for run in found.runs[8:10]] == [7, 7]
    assert found.runs[12].model == "test_vit"


def test_every_entry_reaches_the_run(tmp_path):
    (tmp_path / "constants.csv").write_text("sample_id,decay_constant\n")
    text = START + (
        'preset = "quick"\nseeds = 3\nlimit = 64\nviews = ["eval", "eval,train"]\n'
        'weights = "none"\nroot = "glyphs"\ntest_every = 2\n'
        "held = {order = 5}\nsettings = {flip = true, mean = [[0.1, 0.2, 0.3]], shift = 0}\n"
    )
    one, both = sweep(tmp_path, text).runs
    assert (one.views, both.views) == (("eval",), ("eval", "train"))
    expected = plan_run(
        "glyphs",
        "test_resnet",
        seed=3,
        limit=64,
        weights="none",
        root=str(tmp_path / "glyphs"),
        test_every=2,
        held={"order": 5},
        flip=True,
        mean=(0.1, 0.2, 0.3),
        shift=0.0,
    )
    assert one == expected
    spaced = START + 'sampler = "spaced"\nconstants = "constants.csv"\n'
    (run,) = sweep(tmp_path, spaced).runs
    assert (run.sampler, run.constants) == ("spaced", str(tmp_path / "constants.csv"))


def test_a_run_has_the_id_that_capture_gives_it(tmp_path):
    (run,) = sweep(tmp_path, START + "settings = {epochs = 4, shift = 0.1}").runs
    assert run.run_id == plan_run("glyphs", "test_resnet", epochs=4, shift=0.1).run_id


def test_equal_runs_count_once_and_keep_the_first_place(tmp_path):
    text = START + 'seeds = "3-5"\n' + START + 'seeds = "0-4"\npreset = "quick"\n'
    found = sweep(tmp_path, text)
    assert [run.seed for run in found.runs] == [3, 4, 5, 0, 1, 2]
    assert found.merged == 2


def test_the_example_of_the_page_has_the_runs_that_the_page_says(tmp_path):
    page = (Path(__file__).parents[1] / "book" / "sweeps.md").read_text("utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```", page, flags=re.M | re.S)
    first, second = example.split("\n\n")
    assert len(sweep(tmp_path, first).runs) == 40
    assert len(sweep(tmp_path, second).runs) == 20
    assert len(sweep(tmp_path, example).runs) == 60
    assert "60 runs, 0 of them done" in page
    table = page.split("| entry |")[1].split("\n\n")[0]
    told = [
        name
        for cell in re.findall(r"^\| (.+?) \|", table, re.M)
        for name in re.findall("`(\\w+)`", cell)
    ]
    assert sorted(told) == sorted(KEYS)


REFUSED = {
    "": "holds no runs",
    "runs = 3": "holds no runs",
    "runs = [1]": "holds no runs",
    "[[run]]\n": r"unknown table 'run': did you mean 'runs'",
    START + "seeds = ": "cannot be read as TOML",
    START + "seedz = 3": r"table 1: unknown entry 'seedz': did you mean 'seeds'",
    START + START + "seeds = true": "table 2: seeds is a number or text such as '0-9', not True",
    START + "seeds = []": "seeds is an empty array",
    START + 'seeds = "0..9"': "seeds are written like 0-9",
    START + 'seeds = "0-99999999999999"': "more than 100,000 seeds",
    START + "seeds = -1": "a seed must be an integer from 0",
    START + 'limit = "64"': "limit must be a whole number, not '64'",
    START + "limit = -1": "limit must be 0",
    START + "limit = true": "limit must be a whole number, not True",
    START + 'preset = "quik"': "unknown preset 'quik': did you mean 'quick'",
    START + 'views = "evil"': "unknown view 'evil'",
    START + 'label_noise = "asymmetric:0.1"': "asymmetric",
    START + 'sampler = "space"': "did you mean 'spaced'",
    START + 'sampler = "spaced"\nconstants = "no.csv"': "no file .*no.csv",
    START + 'settings = "epochs=3"': "settings must be a table",
    START + "settings = {epoch = 3}": "unknown setting 'epoch': did you mean 'epochs'",
    START + "settings = {epochs = 3.0}": "epochs must be a whole number, not 3.0",
    START + "settings = {epochs = 0}": "epochs must be above 0",
    START + "settings = {flip = 1}": "flip must be true or false, not 1",
    START + "settings = {shift = nan}": "shift must be a finite number",
    START + "settings = {mean = [[0.1, 0.2]]}": "mean must be a number or",
    START + "held = {oder = 1}": "unknown random stream 'oder': did you mean 'order'",
    START + "held = {order = 1.5}": "order is a number or text",
    '[[runs]]\nmodel = "test_resnet"': "dataset is missing",
    START.replace("glyphs", "glyfs"): "did you mean 'glyphs'",
    START.replace("glyphs", "../glyphs"): "data set name '../glyphs'",
    START.replace("test_resnet", "test_resnt"): "did you mean 'test_resnet'",
    START + 'seeds = "0-99998"\nlimit = [1, 2]': "more than 100,000 runs",
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_what_is_wrong_is_named_in_one_line(tmp_path, text):
    with pytest.raises(LetheError, match=REFUSED[text]) as refusal:
        sweep(tmp_path, text)
    assert "\n" not in str(refusal.value)


def test_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(LetheError, match="there is no sweep file"):
        read_sweep(tmp_path / "none.toml")
    with pytest.raises(LetheError, match="cannot be read"):
        read_sweep(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LetheError, match="cannot be read as TOML"):
        read_sweep(tmp_path / "bytes.toml")


def test_one_name_for_two_folders_of_images_is_refused(tmp_path):
    mine = START.replace("glyphs", "mine")
    with pytest.raises(LetheError, match="give the two data sets different names"):
        sweep(tmp_path, mine + 'root = ["a", "b"]')


def groups_of(tmp_path, text):
    runs = sweep(tmp_path, text).runs
    return {tuple(sorted(run.seed for run in group.runs)) for group in same_but_seed(runs)}


def test_seeds_of_one_configuration_are_packed_together(tmp_path):
    held = START + 'seeds = "0-2"\nheld = {order = 0}\n'
    assert groups_of(tmp_path, held) == {(0, 1, 2)}
    both = sweep(tmp_path, held + START + 'seeds = "0-3"\n')
    assert {len(group.runs) for group in same_but_seed(both.runs)} == {3, 4}


def test_stores_that_would_share_a_name_carry_what_differs(tmp_path, monkeypatch):
    packed = []
    monkeypatch.setattr(
        "lethe.capture.sweep.packing.pack_runs",
        lambda runs, out, name: packed.append((name, len(runs))) or [name],
    )
    text = START + 'seeds = "0-2"\nlabel_noise = ["", "pair:0.1"]\nsettings = {epochs = [2, 3]}\n'
    pack_sweep(sweep(tmp_path, text).runs, tmp_path)
    name = "glyphs-test_resnet-quick"
    expected = [f"{name}+epochs2", f"{name}+epochs3"]
    expected += [f"{name}+noise+epochs2", f"{name}+noise+epochs3"]
    assert packed == [(each, 3) for each in expected]
    packed.clear()
    held = START + 'seeds = "0-2"\nheld = {order = 0}\n' + START + 'seeds = "0-2"\n'
    pack_sweep(sweep(tmp_path, held).runs, tmp_path)
    assert sorted(packed) == [(name, 3), (f"{name}+order0", 3)]
