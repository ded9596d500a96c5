"""The model floor: specification, resolved model, mixtures, covariance families, priors and the one kernel."""
