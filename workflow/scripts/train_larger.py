"""Trains one of Table 1's models, its displacement recorded; resumes from its own state when interrupted."""

from pathlib import Path

from _job import job
from _larger import problem_of

from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.dynamics.training.finetuning import finetune
from sgdiffusion.papers.hennick2025.settings import LargerTraining
from sgdiffusion.papers.hennick2025.table1 import displacement_table

with job(snakemake) as run:
    plan, which = LargerTraining.model_validate(snakemake.params.training), snakemake.wildcards
    problem = problem_of(snakemake, run)
    path = Path(snakemake.output.trained)
    resume = path.with_name(checkpoints.RESUME)
    trained = finetune(
        *(problem.net, problem.loss, problem.train, plan.legs),
        steps=plan.steps,
        batch_size=plan.batch_size,
        per_decade=plan.per_decade,
        checkpoint_fractions=plan.checkpoints,
        names=(snakemake.params.root_seed, "hennick2025", which.run, which.model),
        resume=resume,
        code=snakemake.params.code,
        log=run.log,
    )
    checkpoints.write_state(path, {"steps": trained.kept.tolist(), "theta": trained.theta})
    run.write("displacement", displacement_table(trained))
    checkpoints.discard(resume)
