"""Texts and language models for Table 1 of Hennick & De Baerdemacker 2025, from files that are there already.

A text is cut into blocks of equal length: stories one after the other, each closed by the tokenizer's end-
of-text token, until there are as many blocks as asked for. The blocks of the test split follow those of the
training split.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from sgdiffusion.data.hub import MISSING
from sgdiffusion.errors import DataError

_STORIES = 1000  # tokenised at once


def library() -> ModuleType:
    """The package transformers."""
    try:
        import transformers
    except ImportError as error:
        raise DataError(f"No language model can be loaded: {MISSING}.") from error
    return transformers


def language_model(folder: Path) -> nn.Module:
    """The saved model of a folder, in single precision whatever it was saved in."""
    return _loaded(folder, "model", library().AutoModelForCausalLM, dtype="float32")


def tokenizer(folder: Path) -> Any:
    """The saved tokenizer of a folder."""
    return _loaded(folder, "tokenizer", library().AutoTokenizer)


def _loaded(folder: Path, what: str, kind: Any, **options: Any) -> Any:
    if not (folder / "config.json").is_file():
        raise DataError(
            f"{folder}: not a saved language model: it has no config.json. Expected what save_pretrained "
            "writes (config.json, weights, tokenizer); delete the folder and fetch again, or correct "
            "data/sources.csv."
        )
    try:
        return kind.from_pretrained(folder, local_files_only=True, **options)
    except Exception as error:  # a damaged folder fails in as many ways as there are libraries below
        reason = (str(error).strip().splitlines() or [""])[0]
        raise DataError(
            f"{folder}: its {what} cannot be loaded ({type(error).__name__}: {reason}). Delete the folder "
            "and fetch again."
        ) from error


def stories(path: Path) -> Iterator[str]:
    """The texts of a parquet file's column `text`, or of a text file with `<|endoftext|>` between them."""
    if path.suffix != ".parquet":
        yield from (s.strip() for s in path.read_text(encoding="utf-8").split("<|endoftext|>") if s.strip())
        return
    try:
        yield from (text for text in pd.read_parquet(path, columns=["text"])["text"] if text)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path}: not a parquet file with a column `text` ({error}). Fetch it again."
        ) from error


def blocks(texts: Iterator[str], encoder: Any, length: int, count: int) -> NDArray[np.int64]:
    """The first `count` blocks of `length` tokens, [count, length]."""
    end = encoder.eos_token_id
    if end is None:
        raise DataError("this tokenizer has no end-of-text token to put between stories")
    tokens: list[NDArray[np.int64]] = []
    have = 0
    while have < count * length:
        some = list(islice(texts, _STORIES))
        if not some:
            raise DataError(
                f"the text has {have:,} tokens, {count * length:,} are needed for {count:,} blocks of "
                f"{length}: ask for fewer or shorter blocks (n_train, n_test, context)"
            )
        encoded = encoder(some, add_special_tokens=False)["input_ids"]
        tokens.extend(np.array([*ids, end], dtype=np.int64) for ids in encoded)
        have = have + sum(len(ids) + 1 for ids in encoded)
    return np.concatenate(tokens)[: count * length].reshape(count, length)
