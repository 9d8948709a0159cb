"""The citable bundle: metadata in step with their sources, a crate of what is there, the same bytes."""

import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

import sgdiffusion

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import citation  # noqa: E402

WHEN = datetime(2026, 5, 4, 3, 2, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def archive():
    pytest.importorskip("rocrate")  # of the extra `archive`
    import archive

    return archive


@pytest.fixture(scope="module")
def crate(archive) -> dict[str, dict]:
    """The entities of this checkout's crate, by name."""
    content = json.loads(archive.metadata(ROOT, "0" * 40, WHEN))
    return {entity["@id"]: entity for entity in content["@graph"]}


@pytest.mark.parametrize("file", ["codemeta.json", ".zenodo.json"])
def test_metadata_say_what_the_citation_says(file: str):
    assert (ROOT / file).read_text() == citation.texts(ROOT)[file], "call `make citation`"


def test_the_version_is_the_same_everywhere():
    cited, project = citation.facts(ROOT)
    newest = next(line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## "))
    assert cited["version"] == project["version"] == sgdiffusion.__version__
    assert newest in ("## Unreleased", f"## {cited['version']} ({cited['date-released']})")


def test_every_paper_and_author_of_the_citation_is_in_both():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    texts = citation.texts(ROOT)
    for reference in cited["references"]:
        for text in texts.values():
            assert citation.arxiv(reference) in text
        for author in reference["authors"]:
            assert f"{author['family-names']}, {author['given-names']}" in texts["codemeta.json"]


def types(entity: dict) -> set[str]:
    return {entity["@type"]} if isinstance(entity["@type"], str) else set(entity["@type"])


def test_it_is_a_workflow_crate(crate):
    head, root = crate["ro-crate-metadata.json"], crate["./"]
    assert head["about"] == {"@id": "./"}
    assert "https://w3id.org/ro/crate/1.1" in references(head["conformsTo"])
    assert references(root["conformsTo"]) == ["https://w3id.org/workflowhub/workflow-ro-crate/1.0"]
    assert {"name", "description", "license", "datePublished"} <= set(root)
    main = crate[root["mainEntity"]["@id"]]
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} <= types(main)
    assert "ComputerLanguage" in types(crate[main["programmingLanguage"]["@id"]])
    assert crate["README.md"]["about"] == {"@id": "./"}


def references(value) -> list[str]:
    """Names of other entities in a property."""
    if isinstance(value, list):
        return [name for part in value for name in references(part)]
    return [value["@id"]] if isinstance(value, dict) else []


def test_every_entity_that_is_named_is_there_and_every_file_exists(crate):
    for name, entity in crate.items():
        for key, value in entity.items():
            missing = [r for r in references(value) if r not in crate and not r.startswith("https://")]
            assert not missing, (name, key)
        if "File" in types(entity) and name != "ro-crate-metadata.json":
            assert (ROOT / name).is_file()
        if "Dataset" in types(entity):
            assert (ROOT / name).is_dir()


def test_every_published_file_is_a_result_of_the_run(crate):
    results = set(references(crate["#run"]["result"]))
    published = (p for p in (ROOT / "figures/reference").rglob("*") if p.is_file())
    assert results == {p.relative_to(ROOT).as_posix() for p in published}
    used = [crate[name]["identifier"] for name in references(crate["#run"]["object"])]
    assert used
    assert all(name.startswith("sha256:") for name in used)


def test_the_same_checkout_gives_the_same_bytes(archive, tmp_path: Path):
    first, second = (archive.metadata(ROOT, "0" * 40, WHEN) for _ in range(2))
    assert first == second
    assert str(ROOT).encode() not in first
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b").write_bytes(b"b" * 1000)
    (tmp_path / "in" / "a.sh").write_bytes(b"a")
    (tmp_path / "in" / "a.sh").chmod(0o755)
    for name in ("one.zip", "two.zip"):
        archive.pack(tmp_path / "in", tmp_path / name, WHEN)
        (tmp_path / "in" / "b").touch()
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as made:
        assert [i.filename for i in made.infolist()] == ["a.sh", "b"]
        assert made.infolist()[0].external_attr >> 16 & 0o100


def test_uncommitted_changes_and_no_checkout_are_one_message(archive, tmp_path: Path):
    with pytest.raises(archive.DataError, match="git status failed"):
        archive.commit_of(tmp_path)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "a").write_text("1")
    for words in (["init", "-q"], ["add", "a"], ["commit", "-qm", "a"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    commit, when = archive.commit_of(tmp_path)
    assert len(commit) == 40
    assert when.tzinfo
    (tmp_path / "a").write_text("2")
    with pytest.raises(archive.DataError, match="1 files differ from the commit"):
        archive.commit_of(tmp_path)
