"""Links from a number to its configuration, rules and functions, at the commit of its run."""

import shutil
import subprocess
from pathlib import Path

import pytest

from sgdiffusion.gallery.origins import Origin, Origins, repository

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
CODE = {
    "rules": {f"{verb}_one": f"sgdiffusion.papers.p.study:{verb}" for verb in ("measure", "train")},
    "items": {"p/fig1": "sgdiffusion.papers.p.figures.plots:fig1"},
    "files": {"": "workflow/rules/studies.smk", "plot": "workflow/rules/items.smk"},
}  # fmt: skip
FILES = {
    "CITATION.cff": "title: a\n",
    "config/p/experiments.yaml": "runs:\n  net:\n    kind: training\n",
    "src/sgdiffusion/papers/p/study.py": "def train():\n    pass\n\n\ndef measure():\n    pass\n",
    "src/sgdiffusion/papers/p/figures/plots.py": "X = 1\n\n\ndef fig1():\n    pass\n",
    "workflow/rules/studies.smk": "for s in studies:\n\n    rule:\n        name: s\n",
    "workflow/rules/items.smk": "# one rule\nrule plot:\n",
}


@pytest.fixture
def checkout(tmp_path: Path) -> tuple[Path, str]:
    """A checkout whose function has moved down since the commit."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")

    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        done = subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    moved = tmp_path / "src/sgdiffusion/papers/p/study.py"
    moved.write_text("# new\n" + FILES["src/sgdiffusion/papers/p/study.py"], encoding="utf-8")
    return tmp_path, git("rev-parse", "HEAD")


def judged(commit: str) -> dict:
    """The record of verdicts: a training, a measurement after it, and another paper's measurement."""
    state = {"git": {"commit": commit, "dirty": False}}
    jobs = [
        ("t", [], "p/net/seed-0/checkpoints", "train_one"),
        ("m", ["t"], "p/quantities/net", "measure_one"),
        ("x", [], "q/quantities/net", "elsewhere"),
    ]
    upstream = [
        {"job": job, "after": after, "output": f"results/full/{output}", "rule": rule, **state}
        for job, after, output, rule in jobs
    ]
    return {"output": "figures/full/p/verdicts", "rule": "judge_claims", "upstream": upstream, **state}


def test_a_number_leads_to_run_rules_and_functions_in_their_order(checkout):
    root, commit = checkout
    origins = Origins(root, root / "figures/full", CODE)
    found = origins.of_numbers([{"table": "net", "runs": ["p/net"]}], "p", judged(commit))
    assert [(o.kind, o.name) for o in found] == [
        ("configuration", "net"),
        ("rule", "train_one"),
        ("function", "train"),
        ("rule", "measure_one"),
        ("function", "measure"),
    ]
    at = commit[:10]
    assert found[0].where == f"config/p/experiments.yaml:2 at {at}"
    assert found[1].where == f"workflow/rules/studies.smk:3 at {at}"
    assert found[4].where == f"src/sgdiffusion/papers/p/study.py:5 at {at}"  # as it was, not as it is
    assert found[4].href == "../../src/sgdiffusion/papers/p/study.py"
    assert (root / "figures/full").joinpath(found[4].href).resolve().is_file()


def test_a_repository_gives_links_to_the_commit_and_line(checkout):
    root, commit = checkout
    (root / "CITATION.cff").write_text("repository-code: https://example.org/a/b/\n", encoding="utf-8")
    assert repository(root) == "https://example.org/a/b"
    record = {"rule": "plot", "runs": ["net"], "git": {"commit": commit, "dirty": False}}
    found = Origins(root, root / "figures/full", CODE).of_item("p", "fig1", record)
    blob = f"https://example.org/a/b/blob/{commit}"
    assert [o.href for o in found] == [
        f"{blob}/config/p/experiments.yaml#L2",
        f"{blob}/workflow/rules/items.smk#L2",
        f"{blob}/src/sgdiffusion/papers/p/figures/plots.py#L4",
    ]


def test_without_a_commit_the_file_is_named_as_it_is(tmp_path: Path):
    config = tmp_path / "config/p/experiments.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(FILES["config/p/experiments.yaml"], encoding="utf-8")
    origins = Origins(tmp_path, tmp_path / "figures/full", CODE)
    (found,) = origins.of_runs(["p/net", "cross/net"], "")  # what spans the papers has no settings of its own
    expected = Origin(
        "configuration", "net", "config/p/experiments.yaml:2", "../../config/p/experiments.yaml"
    )
    assert found == expected


def test_what_no_listing_names_has_no_links(checkout):
    root, commit = checkout
    record = {"rule": "plot", "git": {"commit": commit, "dirty": False}}
    assert Origins(root, root / "figures/full", {}).of_item("p", "fig1", record) == []
