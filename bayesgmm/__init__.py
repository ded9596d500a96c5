"""Gaussian mixtures with honest uncertainty: fast EM and the full posterior on one JAX kernel."""
