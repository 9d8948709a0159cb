"""Cuts a text into blocks of one model's tokens, for its continued training and for its chains."""

import hashlib
from itertools import chain
from pathlib import Path

import numpy as np
from _job import job

from sgdiffusion.data.language import blocks, stories, tokenizer
from sgdiffusion.data.optional import read_manifest
from sgdiffusion.provenance.record import DataUse

with job(snakemake) as run:
    sizes = snakemake.params.sizes
    text, model = (Path(snakemake.input[name]) for name in ("text", "model"))
    source, weights = read_manifest(text), read_manifest(model)
    files = [text.parent / file.name for file in source.files]
    count = sizes["n_train"] + sizes["n_test"]
    encoder = tokenizer(model.parent)
    tokens = blocks(chain.from_iterable(map(stories, files)), encoder, sizes["context"], count)
    np.savez(snakemake.output.blocks, train=tokens[: sizes["n_train"]], test=tokens[sizes["n_train"] :])
    digest = hashlib.sha256(tokens.tobytes()).hexdigest()
    real = source.published and weights.published
    run.facts.data.append(DataUse(source.item, f"blocks-of-{sizes['context']}", real, digest))
    run.facts.notes["obtained"] = [
        {**m.model_dump(include={"item", "origin", "revision", "licence"})} for m in (source, weights)
    ]
    run.log.info("%d blocks of %d tokens, vocabulary %d", *tokens.shape, len(encoder))
