"""Remark 14: what more diverse data and augmentation do to the spectrum of D, as ratios of statistics."""

from _job import job

from sgdiffusion.studies.chaudhari2018_spectra import diversity_quantities

with job(snakemake) as run:
    spectra = run.tables()
    pairs = {
        "cifar10-over-mnist": (spectra["cifar10"], spectra["mnist"]),
        "cifar100-over-cifar10": (spectra["cifar100"], spectra["cifar10"]),
        "augmented-over-plain": (spectra["augmented"], spectra["cifar10"]),
    }
    run.write("quantities", diversity_quantities(pairs))
