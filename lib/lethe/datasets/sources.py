"""Where the public data sets come from: addresses, checksums, terms of use.

Definition: a source is one or more files of one data set, each with its addresses in the order in
which they are tried, its size and the checksums that its publisher or its many users have printed.
A file for which nobody prints a checksum takes the one its publisher's file list gives on the day,
and without that list the one of the first fetch. Cost: none; nothing is fetched here.
"""

from dataclasses import dataclass

from lethe.errors import LetheError, nearest


@dataclass(frozen=True)
class Part:
    """One file to download: `checksums` are written `algorithm:hexadecimal`, `size` in bytes.

    A size of 0 and no checksums mean: not known before the first fetch.
    """

    file: str
    addresses: tuple[str, ...]
    size: int = 0
    checksums: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A data set: its files, the page for people, and what lies in its folder afterwards.

    `inside` is the archive's folder that becomes the data set's folder (`""` = all of it),
    `holds` a path in that folder by which a complete copy is known, `listing` the address of the
    publisher's list of files with their sha256.
    """

    name: str
    page: str
    terms: str
    parts: tuple[Part, ...]
    holds: str
    inside: str = ""
    listing: str = ""


CIFAR10 = Source(
    name="cifar10",
    page="https://www.cs.toronto.edu/~kriz/cifar.html",
    terms="no licence stated; cite Krizhevsky (2009)",
    parts=(
        Part(
            "cifar-10-binary.tar.gz",  # the one version that needs no pickle
            (
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                "https://cave.cs.toronto.edu/kriz/cifar-10-binary.tar.gz",
            ),
            170052171,
            (
                "md5:c32a1d4ab5d03f1284b67883e8d87530",
                "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
    ),
    holds="cifar-10-batches-bin/data_batch_1.bin",
)
TINY_IMAGENET = Source(
    name="tiny-imagenet-200",
    page="https://www.image-net.org/download.php",
    terms="ImageNet's terms: research and education, not commercial",
    parts=(
        Part(
            "tiny-imagenet-200.zip",
            (
                "https://cs231n.stanford.edu/tiny-imagenet-200.zip",
                "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
            ),
            248100043,
            (
                "md5:90528d7ca1a48142e341f4ef8d21d0de",
                "sha256:6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
            ),
        ),
    ),
    holds="val/val_annotations.txt",
    inside="tiny-imagenet-200",
)
CUB200 = Source(
    name="cub200",
    page="https://data.caltech.edu/records/65de6-vp158",
    terms="no licence stated, photographs from Flickr: look at the page; cite Wah et al. (2011)",
    parts=(
        Part(
            "CUB_200_2011.tgz",
            ("https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz?download=1",),
            1150585339,
            (
                "md5:97eceeb196236b17998738112f37df78",
                "sha256:0c685df5597a8b24909f6a7c9db6d11e008733779a671760afef78feb49bf081",
            ),
        ),
    ),
    holds="CUB_200_2011/train_test_split.txt",
)
_OCTDL_FILES = "https://data.mendeley.com/public-files/datasets/sncdhf53xc/files"
OCTDL = Source(
    name="octdl",
    page="https://data.mendeley.com/datasets/sncdhf53xc/4",
    terms="CC BY 4.0; cite Kulyabin et al. (2024)",
    parts=(
        Part(
            "OCTDL.zip",
            (f"{_OCTDL_FILES}/2721fe0f-7793-4ef5-b2d0-d31a2ebfdeef/file_downloaded",),
        ),
        Part(
            "OCTDL_labels.csv",
            (f"{_OCTDL_FILES}/82880b41-939c-42b5-9f6b-3304b2c8dca1/file_downloaded",),
        ),
    ),
    holds="OCTDL_labels.csv",
    listing=(
        "https://data.mendeley.com/public-api/datasets/sncdhf53xc/files?folder_id=root&version=4"
    ),
)
SOURCES = {source.name: source for source in (CIFAR10, TINY_IMAGENET, CUB200, OCTDL)}
SAME_FOLDER = {"cifar7": "cifar10"}  # data sets cut from another one


def find_source(name: str) -> Source:
    """The source of a data set; LetheError with the nearest name if it has none."""
    name = SAME_FOLDER.get(name, name)
    if name not in SOURCES:
        raise LetheError(f"nothing to fetch for {name!r}: {nearest(name, SOURCES | SAME_FOLDER)}")
    return SOURCES[name]
