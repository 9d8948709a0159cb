"""Table 1's larger models in the workflow: texts, training, coefficients, rows (optional)."""

import hashlib
import importlib.metadata
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from sgdiffusion import streams
from sgdiffusion.data.language import blocks, language_model, stories, tokenizer
from sgdiffusion.data.raw import read_manifest
from sgdiffusion.data.store import Prepared, subset
from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.dynamics.training.finetuning import finetune
from sgdiffusion.papers.hennick2025 import table1
from sgdiffusion.papers.hennick2025.settings import Langevin, LargerTraining, Window
from sgdiffusion.papers.task import Task

Arrays = dict[str, NDArray[Any]]
Sizes = dict[str, Any]  # which examples there are, how many, of what length


def prepare_text(task: Task, sizes: Sizes, text: Path, model: Path) -> dict[str, Arrays]:
    """Cuts a text into blocks of one model's tokens, for its continued training and for its chains."""
    source, weights = read_manifest(text), read_manifest(model)
    files = [text.parent / file.name for file in source.files]
    count, length = sizes["n_train"] + sizes["n_test"], sizes["context"]
    encoder = tokenizer(model.parent)
    tokens = blocks(chain.from_iterable(map(stories, files)), encoder, length, count)
    real, digest = source.published and weights.published, hashlib.sha256(tokens.tobytes()).hexdigest()
    task.uses(set=source.set, preparation=f"blocks-of-{length}", real=real, digest=digest)
    task.notes["fetched"] = [source.summary, weights.summary]
    task.log.info("%d blocks of %d tokens, vocabulary %d", *tokens.shape, len(encoder))
    return {"blocks": {"train": tokens[: sizes["n_train"]], "test": tokens[sizes["n_train"] :]}}


def train(
    task: Task,
    training: LargerTraining,
    sizes: Sizes,
    data: Prepared | Arrays,
    model: Path | None = None,
) -> dict[str, pd.DataFrame]:
    """Trains one of the models, its displacement recorded; resumes from its own state when interrupted."""
    problem = problem_of(task, sizes, data, model)
    path = task.outputs["trained"]
    resume = path.with_name(checkpoints.RESUME)
    trained = finetune(
        problem.net,
        problem.loss,
        problem.train,
        training.legs,
        steps=training.steps,
        batch_size=training.batch_size,
        per_decade=training.per_decade,
        checkpoint_fractions=training.checkpoints,
        names=(task.root_seed, "hennick2025", task.wildcards["run"], task.wildcards["model"]),
        resume=resume,
        code=task.code,
        log=task.log,
    )
    checkpoints.write_state(path, {"steps": trained.kept.tolist(), "theta": trained.theta})
    task.afterwards.append(lambda: checkpoints.discard(resume))
    return {"displacement": table1.displacement_table(trained)}


def measure(
    task: Task,
    training: LargerTraining,
    plan: Langevin,
    window: Window,
    sizes: Sizes,
    data: Prepared | Arrays,
    trained: Path,
    displacement: pd.DataFrame,
    model: Path | None = None,
) -> dict[str, pd.DataFrame]:
    """Learning coefficients along the training of one of the models, and its row of the table."""
    problem = problem_of(task, sizes, data, model)
    kept = checkpoints.read_state(trained)
    theta, steps = kept["theta"], np.array(kept["steps"])
    names = ("hennick2025", task.wildcards["run"], task.wildcards["model"], "coefficients")
    seed, progress = streams.seed(task.root_seed, *names), task.progress("λ̂ at the instants")
    found = table1.coefficients(problem, theta, steps, plan, seed=seed, progress=progress)
    test_loss = table1.average_test_loss(problem, theta[-1], training.batch_size)
    name, source = title_of(task, sizes)
    weights = theta.shape[1]
    row = table1.model_row(name, source, weights, displacement, found, training, window, test_loss)
    return {"coefficients": found.assign(model=name), "row": row}


def collect(task: Task, rows: list[pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The rows and the quantities of one part of Table 1: a part that was asked for alone is judged."""
    joined = pd.concat(rows, ignore_index=True)
    return {"rows": joined, "quantities": table1.run_quantities(joined)}


def problem_of(
    task: Task, sizes: Sizes, data: Prepared | Mapping[str, NDArray[Any]], model: Path | None
) -> table1.Problem:
    """The model as it starts, with its training and test examples, on the job's device."""
    run, name = task.wildcards["run"], task.wildcards["model"]
    if isinstance(data, Prepared):
        chosen = subset(data, sizes["n_train"], sizes["n_test"])
        x, y, x_test, y_test = (
            torch.from_numpy(a).to(task.device)
            for a in (chosen.x_train, chosen.y_train, chosen.x_test, chosen.y_test)
        )
        seed = streams.seed(task.root_seed, "hennick2025", run, name, "init")
        classes = data.meta["classes"]
        found = table1.vision_problem(name.split("_")[0], x, y, x_test, y_test, classes, seed)
    elif model is not None:
        task.notes["fetched"] = read_manifest(model).summary
        task.notes["transformers"] = importlib.metadata.version("transformers")
        train, test = (torch.from_numpy(data[k]).to(task.device) for k in ("train", "test"))
        found = table1.language_problem(language_model(model.parent), train, test)
    return found._replace(net=found.net.to(task.device))


def title_of(task: Task, sizes: Sizes) -> tuple[str, str]:
    """The row's name of the model, and its data as the rules know it."""
    model = task.wildcards["model"]
    if sizes["kind"] == "larger-language":
        return model, sizes["text"]
    network, data = model.split("_")
    return table1.model_name(network, data), data
