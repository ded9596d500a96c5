import re
from html import escape
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import pytest

import bayesgmm as bg


class Page(HTMLParser):
    """What a page is made of."""

    VOID = ("meta", "link", "img", "br")

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.links, self.images, self.sources = [], [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" else []
        self.images += [found] if tag == "img" else []
        self.sources += [found[name] for name in ("src", "href") if name in found]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(params=["point", "posterior"])
def made(request, pages):
    return pages[request.param]


def test_the_page_is_whole(made):
    page = Page(made.html)
    assert not page.open
    assert made.html.startswith("<!doctype html>")
    assert len(set(page.ids)) == len(page.ids)


def test_every_link_has_a_place_to_go(made):
    page = Page(made.html)
    assert page.links
    assert {link.removeprefix("#") for link in page.links} == set(page.ids)


def test_pictures_are_inside_and_described(made):
    page = Page(made.html)
    assert len(page.images) >= 5
    for image in page.images:
        assert image["src"].startswith("data:image/png;base64,")
        assert len(image["alt"]) > 20
        assert int(image["width"]) > 100


def test_nothing_is_loaded_from_elsewhere(made):
    sources = Page(made.html).sources
    assert all(source.startswith(("#", "data:")) for source in sources)
    assert not re.search(r"https?://|@import|url\(", made.html)


def test_the_verdict_names_the_number_of_clusters_and_its_probability(pages, posterior):
    mode = int(posterior.n_clusters.mean().round())
    assert re.match(r"\d+ clusters? with probability (0\.\d\d|> 0\.99)", pages["posterior"].verdict)
    assert str(mode) in pages["posterior"].verdict
    assert escape(pages["posterior"].verdict) in pages["posterior"].html
    assert pages["point"].verdict.startswith("3 components by maximum likelihood, 342 rows")


def test_no_figure_is_left_open(pages):
    assert pages
    assert not plt.get_fignums()


def test_text_of_the_user_is_text(point):
    made = bg.report(point, title="<b>a & b</b>")
    assert "&lt;b&gt;a &amp; b&lt;/b&gt;" in made.html
    assert "<b>a" not in made.html


def test_it_is_written_whole_or_not_at_all(pages, tmp_path):
    path = pages["point"].save(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == pages["point"].html
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(OSError, match="No such file"):
        pages["point"].save(tmp_path / "nowhere" / "report.html")


def test_estimators_report(frame, tmp_path):
    model = bg.GaussianMixture(2, random_state=0).fit(frame)
    made = model.report(tmp_path / "report.html", title="Two")
    assert "<title>Two</title>" in made.html
    assert (tmp_path / "report.html").exists()
    assert repr(made).startswith("Report(2 components by maximum likelihood")
