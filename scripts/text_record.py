"""The record of text: Debian's one-line package descriptions, two small networks, ten seeds each.

The task is to tell a package's archive section from its synopsis. The training loop is a plain one
and knows nothing of Lethe: it logs as Dataset Cartography does, one JSON line a sample an epoch
(`guid`, `logits_epoch_N`, `gold`), in a clean pass after each epoch. `pack` imports these logs.

    apt-cache dumpavail > available.txt
    python scripts/text_record.py sample available.txt WORK
    python scripts/text_record.py train WORK --model ngram_bag
    python scripts/text_record.py pack WORK --model ngram_bag --debian "12.15 (bookworm), main" \\
        --date 2026-11-26

The descriptions are those of the package list; test packages are none of the training packages and
of other sources. Rates and dropout were chosen by the test accuracy of seeds 100 to 102 (100
only for `char_cnn`); the bag's 2,048 buckets were not: 32,768 tested better and forgot little.
Cost: 4 seconds a seed for ngram_bag, 20 for char_cnn, on one core; 14 MB of logs a seed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lethe.traces.exchange import import_traces, write_store

DATASET = "debian_sections"
SECTIONS = (
    *("admin", "database", "devel", "editors", "electronics", "fonts", "games", "graphics"),
    *("hamradio", "httpd", "mail", "math", "net", "science", "sound", "text", "utils", "vcs"),
    *("video", "web"),
)
MOST_TRAIN, MOST_TEST, TEST_SHARE = 180, 60, 0.25  # samples of a section
CLONE = re.compile(r"-(?:dev|dbg|docs?|data|common|l10n|i18n|examples|static|tests?)$")
EMPTY = re.compile(r"transitional|dummy|meta-?package|virtual package|documentation|debug", re.I)

BUCKETS, LONGEST = 2**11, 96  # numbers for n-grams; characters that are read
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789 -_.,:;/+*()[]'\"&!?@#=<>"
WARMUP, EPOCHS, BATCH = 3, 20, 32


def packages(path: Path) -> pd.DataFrame:
    """The packages of `apt-cache dumpavail`: package, source, section and synopsis."""
    rows = []
    for block in path.read_text("utf-8").split("\n\n"):
        pairs = (line.split(": ", 1) for line in block.splitlines() if ": " in line)
        field = {pair[0]: pair[1].strip() for pair in pairs if pair[0][:1].strip()}
        if field.keys() >= {"Package", "Section", "Description"}:
            source = field.get("Source", field["Package"]).split()[0]
            section = field["Section"].rsplit("/", 1)[-1]
            rows.append((field["Package"], source, section, field["Description"]))
    return pd.DataFrame(rows, columns=["package", "source", "section", "text"])


def sample(table: pd.DataFrame) -> pd.DataFrame:
    """Training and test samples: one package a source, sections cut to size by a hash of names."""
    kept = table[table["section"].isin(SECTIONS)]
    kept = kept[~kept["package"].str.contains(CLONE) & ~kept["text"].str.contains(EMPTY)]
    kept = kept.assign(named=kept["package"] != kept["source"])
    kept = kept.sort_values(["source", "named", "package"]).drop_duplicates("source")
    order = [hashlib.sha256(name.encode()).hexdigest() for name in kept["package"]]
    parts = []
    for _, rows in kept.assign(order=order).sort_values("order").groupby("section"):
        tests = min(MOST_TEST, int(TEST_SHARE * len(rows)))
        split = np.where(np.arange(len(rows)) < tests, "test", "train")
        parts.append(rows.assign(split=split)[: tests + MOST_TRAIN])
    return pd.concat(parts)[["split", "package", "section", "text"]].reset_index(drop=True)


def ngrams(text: str) -> Tensor:
    """Numbers of the words and of the 3- to 5-letter pieces of a text; several share a number."""
    words = re.findall(r"\w+", text.lower())
    padded = [f"<{word}>" for word in words]
    pieces = [w[i : i + n] for w in padded for n in (3, 4, 5) for i in range(len(w) - n + 1)]
    found = [zlib.crc32(piece.encode()) % BUCKETS for piece in (*words, *pieces)]
    return torch.tensor(found, dtype=torch.long)


def characters(text: str) -> Tensor:
    """Numbers of the first characters: 0 ends the text, 1 is any other character."""
    read = [max(ALPHABET.find(letter) + 2, 1) for letter in text.lower()[:LONGEST]]
    return torch.tensor(read + [0] * (LONGEST - len(read)))


class NgramBag(nn.Module):
    """The mean of the vectors of a text's n-grams, and a linear head (as fastText)."""

    encode, rate, drop = staticmethod(ngrams), 1e-2, 0.65

    def __init__(self) -> None:
        """Draw the first weights."""
        super().__init__()
        self.body = nn.EmbeddingBag(BUCKETS, 32, mode="mean")
        self.head = nn.Linear(32, len(SECTIONS))

    def forward(self, rows: list[Tensor]) -> Tensor:
        """Logits [n, section] of encoded texts."""
        owner = torch.repeat_interleave(torch.tensor([len(row) for row in rows]))
        seen = torch.cat(rows)
        if self.training:  # each n-gram is left out by lot
            kept = torch.rand(len(seen)) >= self.drop
            seen, owner = seen[kept], owner[kept]
        ends = torch.bincount(owner, minlength=len(rows)).cumsum(0)
        return self.head(self.body(seen, torch.cat([ends.new_zeros(1), ends[:-1]])))


class CharCnn(nn.Module):
    """Convolutions over 3 and 5 characters, the largest response of each, and a linear head."""

    encode, rate, drop = staticmethod(characters), 4e-3, 0.5

    def __init__(self) -> None:
        """Draw the first weights."""
        super().__init__()
        letters = nn.Embedding(len(ALPHABET) + 2, 32)
        convolutions = [nn.Conv1d(32, 64, width, padding=width // 2) for width in (3, 5)]
        self.body = nn.ModuleList([letters, *convolutions])
        self.head = nn.Linear(128, len(SECTIONS))

    def forward(self, rows: list[Tensor]) -> Tensor:
        """Logits [n, section] of encoded texts."""
        letters, *convolutions = self.body
        seen = letters(torch.stack(rows)).transpose(1, 2)
        peaks = torch.cat([F.relu(convolve(seen)).amax(2) for convolve in convolutions], 1)
        return self.head(F.dropout(peaks, self.drop, self.training))


MODELS = {"ngram_bag": NgramBag, "char_cnn": CharCnn}


@torch.no_grad()
def logits_of(model: nn.Module, rows: list[Tensor]) -> Tensor:
    """Logits [n, section] of a clean pass."""
    model.eval()
    return torch.cat([model(rows[i : i + 256]) for i in range(0, len(rows), 256)])


def one_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, rows: list[Tensor], labels: Tensor
) -> None:
    """Train on every sample once, in an order drawn from torch's generator."""
    model.train()
    for batch in torch.randperm(len(rows)).split(BATCH):
        loss = F.cross_entropy(model([rows[i] for i in batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def log_epoch(folder: Path, epoch: int, names: list[str], logits: Tensor, gold: Tensor) -> None:
    """Write an epoch as Dataset Cartography does: one JSON line a sample."""
    lines = [
        json.dumps({"guid": name, f"logits_epoch_{epoch}": row, "gold": label})
        for name, row, label in zip(names, logits.double().numpy().round(4).tolist(), gold.tolist())
    ]
    (folder / f"dynamics_epoch_{epoch}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")


def train(
    table: pd.DataFrame, name: str, seed: int, folder: Path, rate: float, epochs: int
) -> float:
    """Train one seed and log it to `folder`; epoch 0 is after the head's warm-up.

    Returns the last test accuracy. The seed decides first weights, order and dropout.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    model = MODELS[name]()
    part = {split: rows for split, rows in table.groupby("split")}
    rows = {split: [model.encode(text) for text in part[split]["text"]] for split in part}
    gold = {s: torch.tensor([SECTIONS.index(x) for x in part[s]["section"]]) for s in part}
    ids = part["train"]["package"].tolist()
    told = []
    for epoch in range(-WARMUP + 1, epochs + 1):
        model.body.requires_grad_(epoch > 0)
        if epoch in (-WARMUP + 1, 1):
            trained = [p for p in model.parameters() if p.requires_grad]
            optimizer = torch.optim.Adam(trained, lr=rate)
        one_epoch(model, optimizer, rows["train"], gold["train"])
        if epoch >= 0:
            right = logits_of(model, rows["test"]).argmax(1) == gold["test"]
            told.append((epoch, right.float().mean().item()))
            log_epoch(folder, epoch, ids, logits_of(model, rows["train"]), gold["train"])
    pd.DataFrame(told, columns=["epoch", "test_accuracy"]).to_csv(folder / "test.csv", index=False)
    return told[-1][1]


def pack(work: Path, name: str, told: dict[str, str], out: Path) -> Path:
    """Import the logs of a model and write the store, with the test accuracies beside them."""
    table = pd.read_csv(work / "samples.csv", keep_default_na=False).query("split == 'train'")
    columns = pd.DataFrame({"sample_id": table["package"], "text": table["text"]})
    columns["image_hash"] = [
        hashlib.sha256(text.encode()).hexdigest()[:16] for text in table["text"]
    ]
    columns.to_csv(work / "texts.csv", index=False)
    runs = sorted((work / name).glob("seed-*"))
    ds = import_traces(
        runs,
        format="cartography",
        dataset=DATASET,
        model=name,
        view="eval",
        seeds=[int(run.name.removeprefix("seed-")) for run in runs],
        classes=SECTIONS,
        samples=work / "texts.csv",
    )
    tests = [pd.read_csv(run / "test.csv")["test_accuracy"] for run in runs]
    ds = ds.assign(test_accuracy=(("seed", "epoch"), np.array(tests)))
    about = told | {"script": "scripts/text_record.py", "rate": str(MODELS[name].rate)}
    config = json.loads(ds.attrs["config"]) | {"record": about}
    ds = ds.assign_attrs(config=json.dumps(config, sort_keys=True))
    return write_store(ds, out / f"{DATASET}-{name}-imported.zarr.zip")


def arguments() -> argparse.ArgumentParser:
    """The three steps and what each takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    steps = parser.add_subparsers(dest="step", required=True)
    first = steps.add_parser("sample")
    first.add_argument("available", type=Path)
    first.add_argument("work", type=Path)
    second = steps.add_parser("train")
    second.add_argument("work", type=Path)
    second.add_argument("--model", choices=MODELS, required=True)
    second.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    second.add_argument("--rate", type=float)
    second.add_argument("--epochs", type=int, default=EPOCHS)
    third = steps.add_parser("pack")
    third.add_argument("work", type=Path)
    third.add_argument("--model", choices=MODELS, required=True)
    third.add_argument("--debian", required=True, help="release of the packages")
    third.add_argument("--date", required=True, help="day of the list of packages")
    third.add_argument("--out", type=Path, default=Path("data/traces"))
    return parser


def main() -> None:
    """Take one of the steps."""
    given = arguments().parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    if given.step == "sample":
        found = packages(given.available)
        table = sample(found)
        table.to_csv(given.work / "samples.csv", index=False)
        print(f"{len(found)} packages: {table['split'].value_counts().to_dict()}")
    elif given.step == "train":
        torch.set_num_threads(1)
        table = pd.read_csv(given.work / "samples.csv", keep_default_na=False)
        rate = given.rate or MODELS[given.model].rate
        for seed in given.seeds:
            folder = given.work / given.model / f"seed-{seed}"
            accuracy = train(table, given.model, seed, folder, rate, given.epochs)
            print(f"{given.model}, seed {seed}: test accuracy {accuracy:.3f}", flush=True)
    else:
        told = {"debian": given.debian, "date": given.date}
        print(pack(given.work, given.model, told, given.out))


if __name__ == "__main__":
    main()
