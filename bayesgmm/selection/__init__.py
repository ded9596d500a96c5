"""Choosing among mixtures: the sweep over K and covariance structures, and tests of one against the next."""
