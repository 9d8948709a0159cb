"""Fig 5 right of Ziyin, Li & Ueda: tanh nets of several depths on images, over learning rates and seeds."""

from _job import job

from sgdiffusion.data import load, subset
from sgdiffusion.papers.ziyin2025.depths import depth_scaling
from sgdiffusion.papers.ziyin2025.settings import DepthScaling

with job(snakemake) as run:
    settings = DepthScaling.model_validate(snakemake.params.run)
    data = subset(load(snakemake.input.data), settings.data.n_train, settings.data.n_test)
    run.uses(data, ["depth-scaling"], list(range(settings.seeds)))
    tables = depth_scaling(data, **settings.arguments(), seed=snakemake.params.root_seed)
    for name, table in tables.items():
        run.write(name, table)
