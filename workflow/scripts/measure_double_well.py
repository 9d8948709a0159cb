"""Langevin chains in the double well at one λ and everything Fig 4 of Chaudhari & Soatto shows of them."""

from _job import job

from sgdiffusion.papers.chaudhari2018.double_well import LAMBDAS, quantities, simulate, tables
from sgdiffusion.papers.chaudhari2018.settings import DoubleWell

with job(snakemake) as run:
    settings, figure = DoubleWell.model_validate(snakemake.params.run), snakemake.wildcards.figure
    run.facts.runs.append("double-well")
    paths = simulate(
        LAMBDAS[figure],
        chains=settings.chains,
        steps=settings.steps,
        dt=settings.dt,
        seed=snakemake.params.root_seed,
        threads=snakemake.threads,
    )
    made = tables(LAMBDAS[figure], paths)
    for name, table in made.items():
        run.write(name, table)
    run.write("quantities", quantities(figure, LAMBDAS[figure], paths, made["returns"]))
