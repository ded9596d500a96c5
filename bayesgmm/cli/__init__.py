"""The command line: ``bayesgmm demo``, ``bayesgmm fit DATA`` and ``bayesgmm datasets``."""

from .commands import app, main

__all__ = ["app", "main"]
