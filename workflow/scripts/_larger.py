"""The model and the examples of a job of Table 1's rules, on the job's device."""

import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _job import Run

from sgdiffusion import streams
from sgdiffusion.data import load, subset
from sgdiffusion.data.language import language_model
from sgdiffusion.data.optional import read_manifest
from sgdiffusion.papers.hennick2025 import table1 as study


def problem_of(snakemake: Any, run: Run) -> study.Problem:
    """The model as it starts, with its training and test examples."""
    params, model = snakemake.params, snakemake.wildcards.model
    sizes = params.sizes
    names = ("hennick2025", snakemake.wildcards.run, model)
    if sizes["kind"] == "larger-language":
        folder = Path(snakemake.input.model).parent
        manifest = read_manifest(Path(snakemake.input.model))
        run.facts.notes["obtained"] = manifest.model_dump(include={"item", "origin", "revision", "licence"})
        run.facts.notes["transformers"] = importlib.metadata.version("transformers")
        with np.load(snakemake.input.data) as stored:
            train, test = (torch.from_numpy(stored[k]).to(run.device) for k in ("train", "test"))
        found = study.language_problem(language_model(folder), train, test)
    else:
        data = subset(load(snakemake.input.data), sizes["n_train"], sizes["n_test"])
        run.uses(data, runs=[snakemake.wildcards.run], seeds=[])
        arrays = (data.x_train, data.y_train, data.x_test, data.y_test)
        tensors = [torch.from_numpy(a).to(run.device) for a in arrays]
        seed = streams.seed(params.root_seed, *names, "init")
        found = study.vision_problem(model.split("_")[0], *tensors, data.meta["classes"], seed)
    return found._replace(net=found.net.to(run.device))


def title_of(snakemake: Any) -> tuple[str, str]:
    """The row's name of the model, and its data as the rules know it."""
    model = snakemake.wildcards.model
    if snakemake.params.sizes["kind"] == "larger-language":
        return model, snakemake.params.sizes["text"]
    network, data = model.split("_")
    return study.model_name(network, data), data
