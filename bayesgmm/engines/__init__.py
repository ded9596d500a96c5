"""Engines turn a model and data into a Fit. They share the kernel and the drivers, never each other."""
