"""What moves weights: trainers, ensembles, fused kernels and integrators of stochastic equations."""
