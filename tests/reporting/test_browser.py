"""The page in a real browser, where there is one."""

import shutil

import pytest
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
QUIET = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]
SIZES = {"desk": (1200, 900), "phone": (390, 800)}
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
IMAGES = """Array.from(document.images).map(image => ({
  complete: image.complete && image.naturalWidth > 0, alt: image.alt,
  width: image.getBoundingClientRect().width, room: image.parentElement.clientWidth,
  stretched: Math.abs(image.naturalWidth / image.naturalHeight - image.width / image.height)}))"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found"),
]


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as player:
        started = player.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        started.close()


@pytest.fixture(
    params=[(kind, size) for kind in ("point", "posterior") for size in SIZES], ids="-".join
)
def opened(request, browser, pages, tmp_path):
    """A page opened at one size, with what the browser complained of."""
    kind, size = request.param
    path = pages[kind].save(tmp_path / "report.html")
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height})
    page.complaints, page.requests = [], []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda asked: page.requests.append(asked.url))
    page.goto(path.as_uri())
    yield page
    page.close()


def test_it_opens_without_complaint_and_loads_nothing_else(opened):
    assert not opened.complaints
    assert all(url.startswith(("file:", "data:")) for url in opened.requests)
    assert sum(url.startswith("file:") for url in opened.requests) == 1


def test_nothing_is_wider_than_the_window(opened):
    assert opened.evaluate(WIDER) <= 0


def test_pictures_are_shown_in_their_proportions(opened):
    images = opened.evaluate(IMAGES)
    assert len(images) >= 5
    for image in images:
        assert image["complete"]
        assert image["alt"]
        assert image["width"] <= image["room"] + 1
        assert image["stretched"] < 0.02


def test_every_link_scrolls_to_its_section(opened):
    for link in opened.locator("nav a").all():
        link.click()
        anchor = link.get_attribute("href")
        top = opened.locator(anchor).evaluate("element => element.getBoundingClientRect().top")
        at_end = opened.evaluate(
            "Math.abs(innerHeight + scrollY - document.documentElement.scrollHeight) < 2"
        )
        assert abs(top) < 2 or at_end


def test_it_prints(opened, tmp_path):
    written = opened.pdf(path=str(tmp_path / "report.pdf"), format="A4")
    assert written.startswith(b"%PDF")
    assert len(written) > 50_000
