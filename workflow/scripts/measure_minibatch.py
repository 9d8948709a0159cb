"""Variance of mini-batch gradients on a trained network against D/b and (1 − b/N)D/b (App. A)."""

from pathlib import Path

from _job import job

from sgdiffusion.config.models import Training
from sgdiffusion.data import load, subset
from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.papers.chaudhari2018.settings import MinibatchNoise
from sgdiffusion.papers.chaudhari2018.spectra import minibatch_quantities, minibatch_table
from sgdiffusion.streams import generator

with job(snakemake) as run:
    settings = MinibatchNoise.model_validate(snakemake.params.run)
    network = Training.model_validate(snakemake.params.network)
    data = subset(load(snakemake.input.data), network.data.n_train)
    module = checkpoints.modules(Path(snakemake.input.checkpoints))[1.0].to(run.device)
    sizes = [*(b for b in settings.batch_sizes if b < len(data.x_train)), len(data.x_train)]
    table = minibatch_table(
        PerExampleGradients(module, (data.x_train, data.y_train)),
        sizes,
        draws=settings.draws,
        generator=generator(snakemake.params.root_seed, "chaudhari2018", "minibatch"),
    )
    run.write("minibatch", table)
    run.write("quantities", minibatch_quantities(table, "app-a"))
