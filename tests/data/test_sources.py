"""The tables of sources and digests: the real ones are sound, and every wrong entry is named."""

from pathlib import Path

import pytest
import torchvision
from tiny_sets import IDX, original_files, random_arrays, source_table

from sgdiffusion.data.sets import REAL_SETS
from sgdiffusion.data.sources import read_sources
from sgdiffusion.errors import DataError

DATA = Path(__file__).resolve().parents[2] / "data"
HEADER = "set,role,name,addresses,bytes,md5,sha256,licence"
ROW = f"mnist,archive,a.gz,https://example.org/a.gz,10,{'0' * 32},{'0' * 64},none"


@pytest.fixture
def table(tmp_path):
    def write(*rows, header=HEADER, digests=("mnist,train,1," + "0" * 64, "mnist,test,1," + "0" * 64)):
        (tmp_path / "sources.csv").write_text("\n".join([header, *rows]) + "\n")
        (tmp_path / "digests.csv").write_text("\n".join(["set,split,images,digest", *digests]) + "\n")
        return read_sources(tmp_path / "sources.csv", tmp_path / "digests.csv")

    return write


def test_real_tables_cover_every_real_set_with_two_addresses_or_more():
    table = read_sources(DATA / "sources.csv", DATA / "digests.csv")
    assert set(REAL_SETS) <= set(table)
    for name in REAL_SETS:
        assert set(table[name].digests) == {"train", "test"}
        for file in table[name].files:
            assert len(file.addresses) >= 2
            assert all(address.endswith(f"/{file.name}") for address in file.addresses)
            assert file.sha256 is not None


def test_real_table_names_every_other_set_with_size_or_commit_and_licence():
    table = read_sources(DATA / "sources.csv", DATA / "digests.csv")
    files = {name: source.files[0] for name, source in table.items() if name not in REAL_SETS}
    models = {"tinystories-1m", "tinyllama-15m", "tinystories-33m"}
    assert set(files) == {"tiny-imagenet", "tinystories", *models}
    assert all(len(table[name].files) == 1 for name in files)
    assert {name for name in files if table[name].digests} == {"tiny-imagenet"}  # of its JPEGs
    assert len(files["tiny-imagenet"].addresses) == 2
    assert files["tiny-imagenet"].wanted.pinned
    assert files["tinystories"].sha256
    assert {n for n in files if "@" not in files[n].addresses[0]} == {"tiny-imagenet", "tinystories-33m"}
    assert {n for n in files if files[n].role == "model"} == models


def test_real_mnist_checksums_are_those_torchvision_knows():
    files = read_sources(DATA / "sources.csv", DATA / "digests.csv")["mnist"].files
    assert {(file.name, file.md5) for file in files} == set(torchvision.datasets.MNIST.resources)


def test_real_digest_table_has_the_sizes_of_the_sets():
    rows = [line.split(",") for line in (DATA / "digests.csv").read_text().splitlines()[1:]]
    known = {(s.name, split): s.count(split) for s in REAL_SETS.values() for split in ("train", "test")}
    known |= {("tiny-imagenet", "train"): 100_000, ("tiny-imagenet", "test"): 10_000}
    assert {(name, split): int(images) for name, split, images, _ in rows} == known


def test_addresses_and_rows_keep_their_order(tmp_path):
    arrays = random_arrays(IDX)
    files = original_files(IDX, arrays)
    source = source_table(tmp_path, IDX, arrays, files, ["http://first.org", "http://second.org"])
    assert [file.role for file in source.files] == [
        "train_images",
        "train_labels",
        "test_images",
        "test_labels",
    ]
    assert source.files[0].addresses == (
        "http://first.org/train-images.gz",
        "http://second.org/train-images.gz",
    )
    assert source.files[0].bytes == len(files["train-images.gz"])


def test_an_empty_sha256_is_unknown(table):
    assert table(ROW.replace("0" * 64, ""))["mnist"].files[0].sha256 is None


HUB = "tiny,model,*.json *.bin,hf://owner/tiny,,,,MIT"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROW.replace("https://example.org/a.gz", "ftp://example.org/a.gz")], "line 2, addresses"),
        ([ROW.replace("https://example.org/a.gz", "https:///a.gz")], "line 2, addresses"),
        ([ROW.replace("https://example.org/a.gz", "")], "line 2, addresses"),
        ([ROW.replace("https://example.org/a.gz", "https://example.org/a.gz /a")], "line 2, addresses"),
        ([ROW.replace("https://example.org/a.gz", " ".join(2 * ["http://b.org/a.gz"]))], "there twice"),
        ([ROW.replace(",10,", ",many,")], "line 2, bytes.*'many'"),
        ([ROW.replace(",10,", ",0,")], "line 2, bytes"),
        ([ROW.replace(",10,", ",,")], "line 2, bytes.*needs its size and md5"),
        ([ROW.replace("0" * 32 + ",", "xyz,", 1)], "line 2, md5"),
        ([ROW.replace("0" * 32 + ",", ",", 1)], "line 2, md5.*needs its size and md5"),
        ([ROW.replace(",a.gz,", ",../a.gz,")], "line 2, name"),
        ([ROW.replace(",a.gz,", ",b/../a.gz,")], "line 2, name"),
        ([ROW.replace(",a.gz,", ",/a.gz,")], "line 2, name"),
        ([ROW.replace(",a.gz,", ",b/a.gz,")], "line 2, addresses.*without a folder"),
        ([ROW.replace(",a.gz,", ",*.gz,")], "line 2, addresses.*one file"),
        ([ROW.replace("archive", "sound")], "line 2, role"),
        ([ROW + ",more"], "line 2: expected 8 values"),
        (["mnist,archive"], "line 2: expected 8 values"),
        ([ROW, ROW], "mnist archive is there twice"),
        (
            [ROW, ROW.replace("archive,a.gz", "test_images,b.gz").replace(",none", ",MIT")],
            "different licences",
        ),
        ([HUB.replace("owner/tiny", "tiny")], "line 2, addresses"),
        ([HUB.replace("owner/tiny", "owner/tiny@f54")], "line 2, addresses"),
        ([HUB.replace("*.json", "../*")], "line 2, name"),
        ([HUB, HUB.replace("model", "text")], "set tiny has a hub or a folder"),
    ],
)
def test_a_wrong_row_is_named(table, rows, message):
    with pytest.raises(DataError, match=message):
        table(*rows)


def test_wrong_columns_are_named(table):
    with pytest.raises(DataError, match=r"the columns are.*'extra'"):
        table(ROW + ",1", header=HEADER + ",extra")


def test_a_set_needs_both_digests(table):
    with pytest.raises(DataError, match="one row for train and one for test"):
        table(ROW, digests=["mnist,train,1," + "0" * 64])


def test_a_set_that_is_parsed_needs_digests_at_all(table):
    with pytest.raises(DataError, match=r"set mnist of .* needs one row for train and one for test"):
        table(ROW, digests=[])


@pytest.mark.parametrize(
    "address", ["hf://owner/tiny", "hf://datasets/owner/tiny@" + "ab" * 20, "/my own/folder"]
)
def test_a_repository_or_folder_needs_neither_size_nor_checksum(table, address):
    source = table(HUB.replace("hf://owner/tiny", address))["tiny"]
    assert source.files[0].addresses == (address,)
    assert not source.on_the_web
    assert not source.files[0].wanted.pinned


def test_a_digest_given_twice_is_refused(table):
    with pytest.raises(DataError, match="mnist train is there twice"):
        table(ROW, digests=["mnist,train,1," + "0" * 64] * 2)


def test_a_missing_or_binary_table_is_named(tmp_path):
    with pytest.raises(DataError, match=r"sources\.csv: cannot be read"):
        read_sources(tmp_path / "sources.csv", tmp_path / "digests.csv")
    (tmp_path / "sources.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"sources\.csv: cannot be read"):
        read_sources(tmp_path / "sources.csv", tmp_path / "digests.csv")
