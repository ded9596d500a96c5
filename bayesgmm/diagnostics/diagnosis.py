"""A table of checks that shows its verdict first."""

from html import escape
from typing import Any

import pandas as pd


class Diagnosis(pd.DataFrame):
    """What ``diagnose`` returns; a part of it is an ordinary data frame."""

    @property
    def _constructor(self) -> Any:
        return pd.DataFrame

    @property
    def verdict(self) -> str:
        """The table in a few sentences."""
        return str(self.attrs["verdict"])

    def __repr__(self) -> str:
        """Show the verdict above the table."""
        return f"{self.verdict}\n\n{super().__repr__()}"

    def _repr_html_(self) -> str:
        table = pd.DataFrame(self).to_html(notebook=True)
        return f"<p><b>{escape(self.verdict)}</b></p>{table}"
