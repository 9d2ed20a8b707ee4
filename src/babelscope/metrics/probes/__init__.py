"""Linear probes: logistic regressions of all folds at once, to the optimum."""
