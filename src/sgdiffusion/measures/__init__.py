"""What turns weights, gradients or paths into numbers: spectra, distances, estimates with intervals."""
