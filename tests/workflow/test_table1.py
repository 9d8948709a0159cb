"""Table 1's rules end to end, in a copy of the checkout: tiny random models on generated text, no network."""

import csv
import json
import random
from pathlib import Path

import pandas as pd
import pytest
import torch

from sgdiffusion.config import load_claims

WORDS = ["once", "upon", "a", "time", "there", "was", "little", "cat", "dog", "ran", "home", "and", "slept"]


def save_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["<end>", *WORDS])}, unk_token="<end>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>").save_pretrained(folder)


def save_models(folder: Path) -> dict[str, Path]:
    """Random models of the families of Table 1's three language models, as save_pretrained writes them."""
    from transformers import GPTNeoConfig, GPTNeoForCausalLM, LlamaConfig, LlamaForCausalLM

    ends = {"vocab_size": 14, "hidden_size": 8, "bos_token_id": 0, "eos_token_id": 0}
    neo = GPTNeoConfig(
        num_layers=1, num_heads=2, attention_types=[[["global"], 1]], intermediate_size=16,
        max_position_embeddings=16, **ends,
    )  # fmt: skip
    llama = LlamaConfig(
        num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, max_position_embeddings=16,
        tie_word_embeddings=True, **ends,
    )  # fmt: skip
    places = {name: folder / name for name in ("tinystories-1m", "tinyllama-15m", "tinystories-33m")}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for name, place in places.items():
            model = LlamaForCausalLM(llama) if name == "tinyllama-15m" else GPTNeoForCausalLM(neo)
            model.save_pretrained(place)
            save_tokenizer(place)
    return places


def save_text(folder: Path) -> Path:
    draw = random.Random(0)
    stories = [" ".join(draw.choices(WORDS, k=20)) for _ in range(120)]
    (folder / "data").mkdir(parents=True)
    pd.DataFrame({"text": stories}).to_parquet(folder / "data" / "stories.parquet")
    return folder


def name_folders(table: Path, places: dict[str, Path]) -> None:
    """Puts folders in the place of the hub in data/sources.csv, as a reader without a connection does."""
    with table.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        if row["set"] in places:
            row["addresses"] = str(places[row["set"]])
            row["name"] = "data/*.parquet" if row["role"] == "text" else row["name"]
    with table.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.slow
def test_the_language_models_from_folders_to_the_table_and_the_verdicts(dag, tmp_path: Path):
    pytest.importorskip("transformers", reason="the extra `language` is not installed")
    folder = dag.copy(tmp_path / "copy")
    places = {**save_models(tmp_path / "models"), "tinystories": save_text(tmp_path / "text")}
    name_folders(folder / "data" / "sources.csv", places)
    done = dag.run(folder, "--cores", "1", "hennick2025_table1_language", "--config", "preset=smoke")
    assert done.returncode == 0, done.text[-5000:]
    table = pd.read_csv(folder / "figures/smoke/hennick2025/table1-language.csv")
    assert table["model"].tolist() == ["tinystories-1m", "tinyllama-15m", "tinystories-33m"]
    assert table["published_llc"].tolist() == [32.0, 76.1, 39.3]
    assert table[["mean_llc", "slope", "spectral_dimension", "r2", "r2_brownian"]].notna().all(axis=None)
    assert table["note"].str.contains("substitute data").all(), (
        "a reader's own folder is not the published model"
    )
    record = json.loads((folder / "figures/smoke/hennick2025/table1-language.json").read_text())
    assert {d["set"] for d in record["data"]} == {"tinystories"}
    found = pd.read_csv(folder / "results/smoke/hennick2025/table1/table1-language/quantities.csv")
    language = [c for c in load_claims(folder / "config", "hennick2025") if c.optional and not c.needs_real]
    assert {r.quantity for c in language for r in c.accept} <= set(found["quantity"])

    # judged where it exists: the claims' quantities of the other runs are not needed for that
    empty = folder / "results/smoke/hennick2025/quantities"
    empty.mkdir()
    for name in ("moons", "laws", "mlps"):
        found.head(0).to_csv(empty / f"{name}.csv", index=False)
    readings = empty.with_name("readings")
    readings.mkdir()
    for name in ("walks", "laws", "mlps"):
        found.head(0).assign(reading="", flagged=0.0).to_csv(readings / f"{name}.csv", index=False)
    verdicts = "figures/smoke/hennick2025/verdicts.csv"
    judged = dag.run(folder, "--cores", "1", verdicts, "--allowed-rules", "judge_claims")
    assert judged.returncode == 0, judged.text[-5000:]
    rows = pd.read_csv(folder / verdicts).set_index("claim")
    assert "table1.tinystories-1m.llc = " in rows.loc["table1-tinystories-1m", "measured"]
    assert rows.loc["table1-tinystories-1m", "obstacle"] == "reduced scale"
    assert rows.loc["table1-vgg16", "measured"] == "not run"
