"""Weight trajectories: spectra, autocorrelation, nulls, dimensions."""
