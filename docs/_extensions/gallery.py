"""The gallery of notebooks: every ``examples/*.ipynb`` as a page, and a card on the page of all.

The pages are copies, made anew at every build in ``docs/notebooks``, which git ignores.
"""

import base64
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from sphinx.application import Sphinx

FIRST = "quickstart"
THUMBNAIL = (480, 300)
# Pictures that a thumbnail does justice to: width over height, and enough in them to fill so many bytes.
PROPORTIONS = (0.9, 2.25)
LEAST_BYTES = 40_000

PAGE = """# Examples

Executed notebooks, each a question and a short way to an answer with its uncertainty. The files are in the
folder `examples/` of the repository, each beside a script of the same cells.

::::{{grid}} 1 2 3 3
:gutter: 3

{cards}
::::

```{{toctree}}
:hidden:

{names}
```
"""
CARD = """:::{{grid-item-card}} {title}
:link: {name}
:link-type: doc
{picture}
{sentence}
:::
"""


class Notebook(NamedTuple):
    """What a card says of a notebook: its name, title, first sentence and picture, if any."""

    name: str
    title: str
    sentence: str
    picture: Image.Image | None


def make(app: Sphinx) -> None:
    """Copy the notebooks and write the page of all."""
    source, target = Path(app.srcdir).parent / "examples", Path(app.srcdir) / "notebooks"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    found = sorted(source.glob("*.ipynb"), key=lambda path: (path.stem != FIRST, path.stem))
    for path in found:
        shutil.copy2(path, target)
    notebooks = [read(path) for path in found]
    for one in notebooks:
        if one.picture is not None:
            one.picture.save(target / f"{one.name}.png", optimize=True)
    names = "\n".join(one.name for one in notebooks)
    page = PAGE.format(cards="\n".join(map(card, notebooks)), names=names)
    (target / "index.md").write_text(page, encoding="utf-8")


def card(notebook: Notebook) -> str:
    """Return the card of a notebook."""
    picture = "" if notebook.picture is None else f":img-top: {notebook.name}.png\n:img-alt: \n"
    return CARD.format(**notebook._replace(picture=picture)._asdict())


def read(path: Path) -> Notebook:
    """Read what a card needs."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = "\n\n".join(
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
    )
    title, text = re.match(r"\s*# (.+?)\n+(.*)", prose + "\n", re.DOTALL).groups()
    first = re.split(r"(?<=[.?])\s", " ".join(text.split("\n\n")[0].split()))[0]
    pictures = [data for cell in cells for data in images(cell)]
    chosen = next(iter([*filter(is_good, pictures), *pictures]), None)
    return Notebook(path.stem, title, first, None if chosen is None else thumbnail(opened(chosen)))


def images(cell: dict[str, Any]) -> list[bytes]:
    """Return the pictures among the outputs of a cell."""
    found = [output.get("data", {}).get("image/png") for output in cell.get("outputs", [])]
    return [base64.b64decode(data) for data in found if data]


def is_good(data: bytes) -> bool:
    """Say whether a picture makes a good thumbnail."""
    picture = opened(data)
    low, high = PROPORTIONS
    return len(data) >= LEAST_BYTES and low <= picture.width / picture.height <= high


def opened(data: bytes) -> Image.Image:
    """Decode a picture."""
    return Image.open(io.BytesIO(data)).convert("RGB")


def thumbnail(picture: Image.Image) -> Image.Image:
    """Scale a picture down and centre it on white."""
    small = picture.copy()
    small.thumbnail(THUMBNAIL, Image.Resampling.LANCZOS)
    page = Image.new("RGB", THUMBNAIL, "white")
    page.paste(
        small, tuple((whole - part) // 2 for whole, part in zip(THUMBNAIL, small.size, strict=True))
    )
    return page


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the gallery before pages are looked for."""
    app.connect("builder-inited", make)
    return {"parallel_read_safe": True}
