"""Passes over rows that are elsewhere, cut short or made ragged for tests."""

from bayesgmm.data.sources import Streamed, streamed, summary


def interrupt(monkeypatch, at):
    """Let the pass number ``at`` over streamed rows, and no other, end as Ctrl-C would."""
    reduce, calls = Streamed.reduce, []

    def interrupted(self, *given):
        calls.append(given)
        if len(calls) == at:
            raise KeyboardInterrupt
        return reduce(self, *given)

    monkeypatch.setattr(Streamed, "reduce", interrupted)


def rows_per_block(monkeypatch, n_rows, n_columns):
    """Read so many rows at a time."""
    monkeypatch.setattr(streamed, "BLOCK_BYTES", 8 * n_columns * n_rows)


def rows_of_sample(monkeypatch, n_rows):
    """Keep so many rows in memory."""
    monkeypatch.setattr(summary, "SAMPLE_ROWS", n_rows)
