"""Displacement along the long trajectories of another paper."""

from pathlib import Path

from _job import job

from sgdiffusion.config.models import Training
from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.papers.cross import examinations as cross

with job(snakemake) as run:
    settings = Training.model_validate(snakemake.params.run)
    histories = {s: checkpoints.trajectory(Path(p)) for s, p in enumerate(snakemake.input.trajectories)}
    run.write("curves", cross.displacement_table(histories, [0, settings.burn_in]))
