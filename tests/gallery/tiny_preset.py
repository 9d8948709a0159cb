"""A small preset of two papers on disk, and what a page is built from."""

import json
import struct
import zlib
from pathlib import Path

import pandas as pd

from sgdiffusion.config.models import Assumption, Claim
from sgdiffusion.config.texts import Captions, Texts
from sgdiffusion.figures.style import new_figure, published, save
from sgdiffusion.figures.vector import svg
from sgdiffusion.gallery import numbers
from sgdiffusion.gallery.page import Items, build
from sgdiffusion.gallery.tables import FINDING_COLUMNS, assumptions_table, findings_table
from sgdiffusion.verdicts import read_quantities, verdict_table
from sgdiffusion.verdicts.readings import Reading

NOTE = "substitute data: digits · preset tiny: reduced scale"
PAPERS = ("chaudhari2018", "ziyin2025")
LONG = "long.name-of-a-quantity.wider_than_the_window_of_a_small_telephone"
QUANTITIES = {  # value, low, high, n, over: each decides one claim
    "good": (1.0, 0.9, 1.1, 5, "seeds"),
    LONG: (1.0, 1.0, 1.0, 1, "exact"),
    "bad": (9.0, 8.0, 10.0, 5, "seeds"),
    "coarse": (1.0, -5.0, 7.0, 2, "seeds"),
    "exact": (1.0, 1.0, 1.0, 1, "exact"),
}


def png(width: int = 60, height: int = 40) -> bytes:
    """A grey image, written by hand."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x80" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def drawing(folder: Path) -> str:
    """Two panels, the second logarithmic, with a series of three points each."""
    figure, (left, right) = new_figure(2, height=2.4, ncols=2)
    left.plot([0, 1, 2], [10.0, 20.0, 30.0], "o", label="measured")
    published(left, y=25.0)
    left.set(xlabel="steps", ylabel="loss")
    right.loglog([1, 10, 100], [1.0, 0.1, 0.01], "s", label="decay")
    figure.legend(loc="outside lower center")
    save(figure, folder / "drawn.pdf", folder / "drawn.png")
    return svg(figure)


def quantity_table() -> pd.DataFrame:
    rows = [
        {"quantity": q, "value": v, "low": low, "high": high, "n": n, "unit": "λ", "over": over}
        for q, (v, low, high, n, over) in QUANTITIES.items()
    ]
    return pd.DataFrame(rows)


def claims() -> list[Claim]:
    accept = {"fig1-holds": "good", "fig1-fails": "bad", "fig2-open": "coarse", "fig2-far": "exact"}
    entries = [
        {
            "id": name,
            "source": f"Fig {name[3]}",
            "statement": f"the <b>{q}</b> number lies & stays near 1",
            "kind": "number",
            "published": "1",
            "accept": [{"quantity": q, "published": 1.0, "low": 0.5, "high": 2.0}],
            "reason": "within a factor of 2",
            "needs_real": ["mnist"] if name == "fig2-far" else [],
            "choices": ["batch"] if name == "fig1-fails" else [],
        }
        for name, q in accept.items()
    ]
    return [Claim.model_validate(e) for e in entries]


def texts() -> Texts:
    heading = {"title": "A paper", "short": "A 2018", "authors": "A, B", "venue": "V", "subject": "It says."}
    region = {"quantity": "good", "low": 0.5, "high": 2.0}
    return Texts.model_validate(
        {
            "paper": {**heading, "arxiv": "1710.11029"},
            "headlines": [
                {"text": "It is {good|value}.", "claim": "fig1-holds"},
                {"text": "It slips.", "finding": "slip"},
            ],
            "figures": {
                "fig1": {"title": "One", "text": "See.", "alt": "A grey field.", "claims": ["fig2-far"]}
            },
            "findings": [
                {"id": "slip", "source": "Eq. 1", "kind": "error", "statement": "It is {good}, not {absent}.",
                 "demonstrated_by": [region, {**region, "quantity": LONG}],
                 "shown_in": ["fig1", "elsewhere"]},
            ],
            "arguments": [
                {"id": "argued", "title": "Why?", "claims": ["fig1-holds"],
                 "paragraphs": ["It is {good|value}."],
                 "rests_on": [region, {"quantity": "bad", "high": 2.0}]},
            ],
        }
    )  # fmt: skip


def record(name: str) -> dict:
    data = [{"set": "digits", "preparation": "full", "real": False, "digest": "a" * 64}]
    step = {"output": "results/x", "rule": "train", "code_digest": "c", "device": "cuda", "wall_s": 90.0,
            "peak_mb": 900.0}  # fmt: skip
    return {"output": name, "rule": "plot", "preset": "tiny", "code_digest": "d", "device": "cpu",
            "wall_s": 1.0, "peak_mb": 100.0, "seeds": [0, 1], "root_seeds": [7],
            "runs": ["net"], "data": data,
            "git": {"commit": "f" * 40, "dirty": False}, "upstream": [step]}  # fmt: skip


def write_preset(folder: Path) -> Path:
    """figures/tiny with everything a gallery reads."""
    paths = {}
    folder.mkdir(parents=True)
    drawn = drawing(folder)
    varied = read_quantities([quantity_table().assign(value=7.5)])
    readings = [Reading("batch=20", varied, {})]
    for paper in PAPERS:
        (folder / paper).mkdir(parents=True)
        for name in ("fig1", "fig2"):
            (folder / paper / f"{name}.svg").write_text(drawn, encoding="utf-8")
            (folder / paper / f"{name}.png").write_bytes(png())
        pd.DataFrame({"run": ["net"] * 14, "value": [1.23456e-7] * 14, "note": NOTE}).to_csv(
            folder / paper / "table_a.csv", index=False
        )
        for name in ("fig1", "fig2", "table_a"):
            (folder / paper / f"{name}.json").write_text(json.dumps(record(name)))
        quantities = read_quantities([quantity_table()])
        verdicts, under = verdict_table(claims(), quantities, "tiny", ["mnist"], readings=readings)
        verdicts.to_csv(folder / paper / "verdicts.csv", index=False)
        under.to_csv(folder / paper / "readings.csv", index=False)
        (folder / paper / "readings").mkdir()
        (folder / paper / "readings/fig1-fails.png").write_bytes(png())
        paths[paper] = [folder / paper / "quantities.csv"]
        quantity_table().to_csv(paths[paper][0], index=False)
        (folder / paper / "quantities.json").write_text(json.dumps(record("quantities")))
    (folder / "cross").mkdir()
    (folder / "cross/cross.svg").write_text(drawn, encoding="utf-8")
    (folder / "cross/cross.png").write_bytes(png())
    (folder / "cross/cross.json").write_text(json.dumps(record("cross")))
    runs = {f"{p}/net": {"epochs": 3, "seeds": 5} for p in PAPERS}
    (folder / "numbers.json").write_text(json.dumps(numbers.collect("tiny", NOTE, paths, runs)))
    tables = {p: quantity_table() for p in PAPERS}
    findings = findings_table({PAPERS[0]: texts()}, **tables)
    assert list(findings.columns) == list(FINDING_COLUMNS)
    findings.assign(note=NOTE).to_csv(folder / "findings.csv", index=False)
    choice = {"topic": "batch size", "choice": "128", "reason": "usual", "sensitivity": "then {good|value}"}
    assumptions_table([(PAPERS[0], "net", Assumption(**choice))], {}, tables).to_csv(
        folder / "assumptions.csv", index=False
    )
    return folder


def items() -> Items:
    return Items(
        preset="tiny",
        figures={PAPERS[0]: ["fig1", "fig2"], PAPERS[1]: ["fig1"]},
        tables={PAPERS[0]: ["table_a"], PAPERS[1]: []},
        across={"figures": ["cross"], "tables": []},
        left_out=[{"item": "ziyin2025/fig2", "reason": "no time"}],
    )


def html(folder: Path, note: str = NOTE) -> str:
    return build(
        folder,
        items(),
        {PAPERS[0]: texts(), PAPERS[1]: Texts(paper=texts().paper)},
        {p: claims() for p in PAPERS},
        Captions(glossary={"λ̂": "an estimate"}),
        note=note,
        description="two figures",
        command="rebuild {target}",
    )
