"""What a page is made of: sections of sentences, pictures and tables."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Picture:
    """A drawn figure.

    Attributes:
        source: the figure as a data URI.
        alt: what it shows, for readers who do not see it.
        caption: what to look at.
        width: in CSS pixels.
        height: in CSS pixels.
    """

    source: str
    alt: str
    caption: str
    width: int
    height: int


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        caption: what it tells.
        head: names of the columns.
        rows: the cells.
        marks: class of each row, "passed", "failed" or "", as long as ``rows`` or empty.
    """

    caption: str
    head: list[str]
    rows: list[list[str]]
    marks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        anchor: its name within the page.
        title: its heading.
        sentences: paragraphs.
        pictures: figures.
        tables: tables.
        code: text to be shown as it is.
    """

    anchor: str
    title: str
    sentences: list[str] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    code: str = ""
