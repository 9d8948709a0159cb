"""One citable bundle of a commit: a Workflow RO-Crate 1.0 of all that is in git, the published set among it.

The bytes of the zip depend on the commit alone: names in order, the commit's time, nothing compressed. What
the crate says beside the files comes from CITATION.cff, pyproject.toml, the texts of the papers and the
records beside figures and tables.
"""

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from citation import KEYWORDS, arxiv, facts, name
from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from sgdiffusion.config.texts import load_captions, texts_of_papers
from sgdiffusion.errors import DataError, UserError

ROOT = Path(__file__).resolve().parent.parent
METADATA, REFERENCE = "ro-crate-metadata.json", Path("figures/reference")
PROFILE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
FORMATS = {
    ".png": "image/png",
    ".pdf": "application/pdf",
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".tex": "application/x-tex",
    ".json": "application/json",
    ".html": "text/html",
    ".yml": "application/yaml",
    ".cff": "application/yaml",
    ".toml": "application/toml",
}
# parts of the repository that the crate describes one by one
PARTS = {
    "src/": "the library: networks, dynamics, measures, papers, verdicts, gallery, report",
    "workflow/": "rules, scripts and the guard of calls",
    "config/": "experiments, presets, readings, claims and texts of every paper",
    "data/": "addresses, checksums, content digests and licences of all data; no data",
    "docs/": "the documentation",
    "tests/": "oracles, slow twins, faults",
    "requirements.lock": "every package of the environment at its version, with hashes",
    "environment.yml": "the conda environment at the same versions",
    "pyproject.toml": "the package's metadata and what it asks for",
    "README.md": "how to run it, and what was found",
    "CITATION.cff": "how to cite it",
    "codemeta.json": "the same for machines, as CodeMeta",
    ".zenodo.json": "the same for a deposit",
    "LICENSE": "the licence of the code",
}


def git(root: Path, *words: str) -> bytes:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True)
    if done.returncode:
        raise DataError(f"{root}: git {words[0]} failed: {done.stderr.decode().strip()}")
    return done.stdout


def commit_of(root: Path) -> tuple[str, datetime]:
    """The commit of a checkout without changes, and its time."""
    if changed := git(root, "status", "--porcelain", "--untracked-files=no").decode().splitlines():
        raise DataError(f"{root}: {len(changed)} files differ from the commit; commit them, then archive")
    commit, seconds = git(root, "show", "--no-patch", "--format=%H %ct", "HEAD").decode().split()
    return commit, datetime.fromtimestamp(int(seconds), UTC)


def unpack(root: Path, folder: Path) -> None:
    """The files of the commit."""
    with tarfile.open(fileobj=io.BytesIO(git(root, "archive", "--format=tar", "HEAD"))) as archive:
        archive.extractall(folder, filter="data")


def described(folder: Path) -> dict[str, str]:
    """What the published figures and tables show, by the beginning of their names."""
    texts = {**texts_of_papers(folder / "config"), "cross": load_captions(folder / "config")}
    return {
        f"{paper}/{item}.": f"{caption.title}. {caption.text}"
        for paper, words in texts.items()
        for item, caption in {**words.figures, **words.tables}.items()
    }


def _entity(crate: ROCrate, at: str, kind: str, /, **properties: Any) -> ContextEntity:
    return crate.add(ContextEntity(crate, at, properties={"@type": kind, **properties}))


def _head(crate: ROCrate, folder: Path, commit: str, when: datetime) -> None:
    """What the whole is: names, authors, licence, the papers it is about."""
    citation, project = facts(folder)
    crate.name, crate.description = citation["title"], project["description"]
    crate.keywords, crate.datePublished = ", ".join(KEYWORDS), when
    licence = f"https://spdx.org/licenses/{project['license']}"
    crate.license = _entity(crate, licence, "CreativeWork", name=f"{project['license']} licence")
    makers = [
        _entity(crate, f"#author-{i}", "Organization", name=name(author))
        for i, author in enumerate(citation["authors"])
    ]
    # one maker is written as one, not as a list
    crate.creator = crate.publisher = crate.root_dataset["author"] = makers if makers[1:] else makers[0]
    papers = [
        _entity(
            crate,
            f"https://arxiv.org/abs/{arxiv(paper).removeprefix('arXiv:')}",
            "ScholarlyArticle",
            name=paper["title"],
            author="; ".join(map(name, paper["authors"])),
            datePublished=str(paper["year"]),
        )
        for paper in citation["references"]
    ]
    root = crate.root_dataset
    root["citation"], root["version"], root["identifier"] = papers, project["version"], f"git:{commit}"
    _entity(crate, PROFILE, "CreativeWork", name="Workflow RO-Crate Profile", version="1.0")
    root["conformsTo"] = {"@id": PROFILE}


def _workflow(crate: ROCrate, folder: Path, commit: str) -> Any:
    main = crate.add_workflow(folder / "Snakefile", "Snakefile", main=True, lang="snakemake")
    main["name"], main["version"] = "the workflow of all papers", commit
    main["encodingFormat"], main["conformsTo"] = "text/x-python", {"@id": BIOSCHEMAS}
    _entity(crate, BIOSCHEMAS, "CreativeWork", name="Bioschemas ComputationalWorkflow", version="1.0")
    for part, words in PARTS.items():
        add = crate.add_dataset if part.endswith("/") else crate.add_file
        entity = add(folder / part, part, properties={"description": words, "name": part})
        if not part.endswith("/"):
            entity["encodingFormat"] = FORMATS.get(Path(part).suffix, "text/plain")
        if part == "README.md":
            entity["about"] = crate.root_dataset
    return main


def _results(crate: ROCrate, folder: Path, workflow: Any) -> None:
    """The published files, each with what it shows, and the run that made them."""
    words, files = described(folder), []
    for path in sorted(p for p in (folder / REFERENCE).rglob("*") if p.is_file()):
        place = path.relative_to(folder / REFERENCE).as_posix()
        shown = next((w for begin, w in words.items() if place.startswith(begin)), place)
        facts_of = {
            "name": place,
            "encodingFormat": FORMATS[path.suffix],
            "contentSize": str(path.stat().st_size),
        }
        told = f"Provenance: {shown}" if path.suffix == ".json" else shown
        name_of = path.relative_to(folder).as_posix()
        files.append(crate.add_file(path, name_of, properties={**facts_of, "description": told}))
    record = json.loads((folder / REFERENCE / "index.json").read_text(encoding="utf-8"))
    _entity(
        crate,
        "#run",
        "CreateAction",
        name=f"the run of the preset {record['preset']}, at commit {record['git']['commit']}",
        instrument={"@id": workflow.id},
        object=[_data(crate, **use) for use in record["data"]],
        result=[{"@id": file.id} for file in files],
        description=f"{record['total_wall_s']:.0f} s on {record['platform']}, "
        + ", ".join(f"{library} {version}" for library, version in record["versions"].items()),
    )
    crate.root_dataset["mentions"] = {"@id": "#run"}


def _data(crate: ROCrate, *, set: str, preparation: str, real: bool, digest: str) -> dict[str, str]:
    """A data set that the run used; its bytes are not in the crate."""
    kind = "as published" if real else "embedded substitute"
    identifier = f"#data-{set}-{preparation}"
    _entity(
        crate, identifier, "CreativeWork", name=f"{set}, {preparation}, {kind}", identifier=f"sha256:{digest}"
    )
    return {"@id": identifier}


def metadata(folder: Path, commit: str, when: datetime) -> bytes:
    """ro-crate-metadata.json of the files in a folder; its entities stand in the order of their names."""
    crate = ROCrate(version="1.1")
    _head(crate, folder, commit, when)
    _results(crate, folder, _workflow(crate, folder, commit))
    content = crate.metadata.generate()
    content["@graph"].sort(key=lambda entity: (entity["@id"] not in (METADATA, "./"), entity["@id"]))
    return (json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def pack(folder: Path, target: Path, when: datetime) -> None:
    """A zip of all files of a folder, whole or not at all; its bytes depend on content and time alone."""
    partial = target.with_name(target.name + ".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), when.timetuple()[:6])
            info.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
            info.create_system = 3  # Unix, wherever this runs
            archive.writestr(info, path.read_bytes())
    partial.replace(target)


def archive(root: Path, target: Path) -> str:
    """Bundles the commit of a checkout; the commit."""
    commit, when = commit_of(root)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        unpack(root, folder)
        if not (folder / REFERENCE / "published.json").is_file():
            raise DataError(f"{root}: the commit has no published set; `make publish` first, and commit it")
        (folder / METADATA).write_bytes(metadata(folder, commit, when))
        target.parent.mkdir(parents=True, exist_ok=True)
        pack(folder, target, when)
    return commit


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "sgdiffusion-crate.zip")
    chosen = parser.parse_args()
    try:
        commit = archive(ROOT, chosen.output)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{chosen.output}: {chosen.output.stat().st_size / 1e6:.1f} MB, commit {commit}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
