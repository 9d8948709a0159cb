"""The tables of sources and digests: the real ones are sound, and every wrong entry is named."""

from pathlib import Path

import pytest
import torchvision
from tiny_sets import IDX, original_files, random_arrays, source_table

from sgdiffusion.data.sets import REAL_SETS
from sgdiffusion.data.sources import read_sources
from sgdiffusion.errors import DataError

DATA = Path(__file__).resolve().parents[2] / "data"
HEADER = "set,role,file,address,bytes,md5,sha256,licence"
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
    assert set(table) == set(REAL_SETS)
    for source in table.values():
        for file in source.files:
            assert len(file.addresses) >= 2
            assert all(address.endswith(f"/{file.name}") for address in file.addresses)
            assert file.sha256 is not None


def test_real_mnist_checksums_are_those_torchvision_knows():
    files = read_sources(DATA / "sources.csv", DATA / "digests.csv")["mnist"].files
    assert {(file.name, file.md5) for file in files} == set(torchvision.datasets.MNIST.resources)


def test_real_digest_table_has_the_sizes_of_the_sets():
    rows = [line.split(",") for line in (DATA / "digests.csv").read_text().splitlines()[1:]]
    assert {(name, split): int(images) for name, split, images, _ in rows} == {
        (spec.name, split): spec.count(split) for spec in REAL_SETS.values() for split in ("train", "test")
    }


def test_rows_of_a_file_are_gathered_in_their_order(tmp_path):
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


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROW.replace("https://example.org/a.gz", "ftp://example.org/a.gz")], "line 2, address"),
        ([ROW.replace(",10,", ",many,")], "line 2, bytes.*'many'"),
        ([ROW.replace(",10,", ",0,")], "line 2, bytes"),
        ([ROW.replace("0" * 32 + ",", "xyz,", 1)], "line 2, md5"),
        ([ROW.replace(",a.gz,", ",../a.gz,")], "line 2, file"),
        ([ROW.replace("archive", "sound")], "line 2, role"),
        ([ROW + ",more"], "line 2: expected 8 values"),
        (["mnist,archive"], "line 2: expected 8 values"),
        ([ROW, ROW], "the address https://example.org/a.gz twice"),
        ([ROW, ROW.replace("/a.gz", "/b.gz").replace(",10,", ",11,")], "disagree about the file"),
        (
            [ROW, ROW.replace("archive,a.gz", "test_images,b.gz").replace(",none", ",MIT")],
            "different licences",
        ),
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


def test_a_digest_given_twice_is_refused(table):
    with pytest.raises(DataError, match="mnist train is there twice"):
        table(ROW, digests=["mnist,train,1," + "0" * 64] * 2)


def test_a_missing_or_binary_table_is_named(tmp_path):
    with pytest.raises(DataError, match=r"sources\.csv: cannot be read"):
        read_sources(tmp_path / "sources.csv", tmp_path / "digests.csv")
    (tmp_path / "sources.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"sources\.csv: cannot be read"):
        read_sources(tmp_path / "sources.csv", tmp_path / "digests.csv")
