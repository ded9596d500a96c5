"""The command line: ``bayesgmm demo``, ``fit``, ``select``, ``predict``, ``report`` and ``datasets``."""

from .app import app, main

__all__ = ["app", "main"]
