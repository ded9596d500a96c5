"""How a command ends when it cannot go on: one sentence on standard error, and an exit code.

Bad input ends with 2, an interruption without any result with 130, all else with 1.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

UNEXPECTED, BAD_INPUT, INTERRUPTED = 1, 2, 130


class InputError(Exception):
    """What the user gave cannot be used; the text says why and what to do."""


@contextmanager
def errors_in_a_sentence(debug: bool) -> Iterator[None]:
    """End with a sentence and an exit code; show the traceback above it where it is wanted."""
    try:
        yield
    except (typer.Exit, typer.Abort, typer.TyperException):
        raise
    except InputError as error:
        end(error, one_line(error), BAD_INPUT, debug)
    except KeyboardInterrupt as error:
        end(error, f"{one_line(error) or 'Interrupted.'} Nothing was written.", INTERRUPTED, debug)
    except Exception as error:
        # The outermost frame of every command, where a bug may raise anything: no narrower kind will do. The
        # command ends here with exit code 1, nothing goes on, and --debug shows the traceback.
        said = (
            f"Expected to succeed, got an error that nobody foresaw, {type(error).__name__}: "
            f"{one_line(error)}; run the command again with --debug and report what it shows."
        )
        end(error, said, UNEXPECTED, debug)


def end(error: BaseException, said: str, code: int, debug: bool) -> NoReturn:
    """Say why on standard error and leave with the exit code."""
    if debug:
        traceback.print_exception(error)
    typer.echo(f"bayesgmm: {said}", err=True)
    raise typer.Exit(code) from error


@contextmanager
def as_input_error(*kinds: type[Exception]) -> Iterator[None]:
    """Take errors of such kinds, refusals of the package's doors, for bad input."""
    try:
        yield
    except kinds as error:
        raise InputError(one_line(error)) from error


def one_line(error: BaseException) -> str:
    """Return the text of an error without its line breaks."""
    return " ".join(str(error).split())
