"""Writes codemeta.json and .zenodo.json from CITATION.cff and pyproject.toml: nothing is typed twice."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
KEYWORDS = ["stochastic gradient descent", "replication", "gradient noise", "diffusion", "reproducibility"]


def facts(root: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The citation and the project's table of pyproject.toml."""
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    return citation, tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def name(person: dict[str, str]) -> str:
    """As a list of authors has it."""
    given = person.get("given-names")
    return f"{person['family-names']}, {given}" if given else person["name"]


def arxiv(reference: dict[str, Any]) -> str:
    """The number of a cited preprint."""
    return next(i["value"] for i in reference["identifiers"] if i["value"].startswith("arXiv:"))


def codemeta(citation: dict[str, Any], project: dict[str, Any]) -> dict[str, Any]:
    """CodeMeta 3.0."""
    return {
        "@context": "https://w3id.org/codemeta/3.0",
        "@type": "SoftwareSourceCode",
        "name": project["name"],
        "headline": citation["title"],
        "description": project["description"],
        "version": project["version"],
        "datePublished": str(citation["date-released"]),
        "license": f"https://spdx.org/licenses/{project['license']}",
        "programmingLanguage": "Python",
        "runtimePlatform": f"Python {project['requires-python']}",
        "softwareRequirements": "requirements.lock",
        "keywords": KEYWORDS,
        "author": [{"@type": "Organization", "name": name(a)} for a in citation["authors"]],
        "referencePublication": [
            {
                "@type": "ScholarlyArticle",
                "name": paper["title"],
                "author": [{"@type": "Person", "name": name(a)} for a in paper["authors"]],
                "datePublished": str(paper["year"]),
                "identifier": arxiv(paper),
            }
            for paper in citation["references"]
        ],
    }


def zenodo(citation: dict[str, Any], project: dict[str, Any]) -> dict[str, Any]:
    """The metadata of a deposit at Zenodo."""
    return {
        "title": citation["title"],
        "description": project["description"],
        "upload_type": "software",
        "access_right": "open",
        "version": project["version"],
        "license": project["license"],
        "keywords": KEYWORDS,
        "creators": [{"name": name(a)} for a in citation["authors"]],
        "related_identifiers": [
            {"identifier": arxiv(paper), "relation": "references", "resource_type": "publication-article"}
            for paper in citation["references"]
        ],
    }


def texts(root: Path) -> dict[str, str]:
    """The content of both files, by name."""
    contents = {"codemeta.json": codemeta(*facts(root)), ".zenodo.json": zenodo(*facts(root))}
    return {file: json.dumps(c, indent=2, ensure_ascii=False) + "\n" for file, c in contents.items()}


def main() -> int:
    for file, text in texts(ROOT).items():
        (ROOT / file).write_text(text, encoding="utf-8")
        print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
