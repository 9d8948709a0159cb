"""Laws of weights and solutions: densities, tails, clusters, distances."""
