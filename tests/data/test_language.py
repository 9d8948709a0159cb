"""Texts as blocks of tokens, and language models from folders that save_pretrained wrote."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from sgdiffusion.data import language
from sgdiffusion.errors import DataError

WORDS = ["once", "upon", "a", "time", "there", "was", "little", "cat", "dog", "ran", "home"]


class Words:
    """A tokenizer by words: what `blocks` needs of one."""

    eos_token_id = 99

    def __call__(self, texts: list[str], add_special_tokens: bool) -> dict[str, list[list[int]]]:
        assert not add_special_tokens
        return {"input_ids": [[WORDS.index(word) for word in text.split()] for text in texts]}


def test_blocks_are_the_stories_one_after_the_other(monkeypatch):
    monkeypatch.setattr(language, "_STORIES", 2)
    texts = ["once upon a time", "there was", "little cat", "dog ran home"] * 2
    slow = [i for text in texts for i in [*(WORDS.index(w) for w in text.split()), 99]]
    found = language.blocks(iter(texts), Words(), 5, 5)
    assert found.ravel().tolist() == slow[:25]
    assert found.shape == (5, 5)
    with pytest.raises(DataError, match="the text has 30 tokens, 35 are needed for 7 blocks of 5"):
        language.blocks(iter(texts), Words(), 5, 7)


def test_a_tokenizer_without_an_end_is_refused():
    class Endless(Words):
        eos_token_id = None

    with pytest.raises(DataError, match="no end-of-text token"):
        language.blocks(iter(["once"]), Endless(), 1, 1)


def test_stories_of_both_kinds_of_files(tmp_path: Path):
    pd.DataFrame({"text": ["one", "", "two"]}).to_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.txt").write_text("one\n<|endoftext|>\ntwo\n<|endoftext|>\n")
    assert list(language.stories(tmp_path / "a.parquet")) == ["one", "two"]
    assert list(language.stories(tmp_path / "b.txt")) == ["one", "two"]
    pd.DataFrame({"words": ["one"]}).to_parquet(tmp_path / "c.parquet")
    (tmp_path / "d.parquet").write_bytes(b"nothing")
    for name in ("c.parquet", "d.parquet"):
        with pytest.raises(DataError, match=rf"{name}: not a parquet file with a column `text`"):
            list(language.stories(tmp_path / name))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model and a tokenizer made from generated text, as save_pretrained writes them."""
    pytest.importorskip("transformers", reason="the extra `language` is not installed")
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("saved")
    vocabulary = {word: i for i, word in enumerate(["<end>", *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<end>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>").save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=12, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=32, tie_word_embeddings=True, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).half().save_pretrained(folder)
    return folder


def test_a_saved_model_and_its_tokenizer_are_loaded(saved: Path):
    model, encoder = language.language_model(saved), language.tokenizer(saved)
    assert {p.dtype for p in model.parameters()} == {torch.float32}, (
        "saved in half precision, trained in single"
    )
    tokens = language.blocks(iter([" ".join(WORDS)] * 4), encoder, 8, 5)
    assert tokens.max() < 12
    assert (tokens.ravel()[:12] == [*range(1, 12), 0]).all()
    logits = model(input_ids=torch.from_numpy(tokens)).logits
    assert logits.shape == (5, 8, 12)
    assert np.isfinite(logits.detach().numpy()).all()


def test_wrong_folders_are_named(saved: Path, tmp_path: Path):
    with pytest.raises(DataError, match=r"not a saved language model: it has no config\.json"):
        language.language_model(tmp_path)
    (tmp_path / "config.json").write_text((saved / "config.json").read_text())
    with pytest.raises(DataError, match="its model cannot be loaded"):
        language.language_model(tmp_path)
    with pytest.raises(DataError, match="its tokenizer cannot be loaded"):
        language.tokenizer(tmp_path)


def test_without_transformers_one_message_says_what_to_install(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(DataError, match=r"No language model can be loaded.*\.\[language\]"):
        language.language_model(tmp_path)
