"""Remark 14: what more diverse data and augmentation do to the spectrum of D, as ratios of statistics."""

from _job import job

from sgdiffusion.papers.chaudhari2018.spectra import diversity_quantities

with job(snakemake) as run:
    spectra = run.tables()
    pairs = {
        f"{first}-over-{second}": (spectra[one], spectra[other])
        for first, one, second, other in (
            ("cifar10", "cifar10", "mnist", "mnist"),
            ("cifar100", "cifar100", "cifar10", "cifar10"),
            ("augmented", "augmented", "plain", "cifar10"),
        )
        if one in spectra and other in spectra
    }
    run.write("quantities", diversity_quantities(pairs))
