"""Runs one study of a paper's registry: the rule names its function, its settings and its inputs."""

from typing import Any, get_type_hints

from _files import read_inputs, write
from _job import Run, job
from pydantic import TypeAdapter

from sgdiffusion.papers.task import Task


def checked(function: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings as what the function's annotations say they are."""
    hints = get_type_hints(function)
    return {name: TypeAdapter(hints[name]).validate_python(value) for name, value in settings.items()}


def compute(run: Run, task: Task, function: Any, params: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs by name, those apart that the function writes itself."""
    if params.model is None:
        return dict(function(task, **checked(function, params.settings), **inputs))
    settings = run.named(params.model).model_validate(params.settings["run"])
    return dict(function(**settings.arguments(), seed=task.root_seed, threads=task.threads, **inputs))


with job(snakemake) as run:
    run.facts.runs.extend(snakemake.params.runs)
    inputs = read_inputs(dict(snakemake.input.items()))
    task, function = run.task(), run.named(snakemake.params.function)
    for name, content in compute(run, task, function, snakemake.params, inputs).items():
        write(snakemake.output[name], content)
    for call in task.afterwards:
        call()
