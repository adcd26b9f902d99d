"""The live page in a real browser, served by a real worker while simulated people use an app."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from kafka import KafkaProducer
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect, sync_playwright

from experiments.demo.cluster import Cluster, running_cluster
from experiments.servers.child_process import ChildProcess
from tests.factories import encode, feedback, impression

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)")

MINUS = "\N{MINUS SIGN}"
PATIENCE = 90.0
"""Seconds that anything may take on a busy machine."""
PHONE = ViewportSize(width=360, height=740)
DESK = ViewportSize(width=960, height=900)
SCREENSHOT = os.environ.get("GROUNDSWELL_SCREENSHOT")
AXE = "axe-core@4.14.1"
ENOUGH = 3_000
"""Interactions after which the page has something to tell."""
HOSTILE = ["<img src=x onerror=\"document.title='broken in'\">", "x" * 128, "\u202etset", "🙂&amp;</script>"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("live-page")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
        with running_cluster(directory, directory / "worker.log") as cluster:
            yield cluster


@pytest.fixture(scope="module")
def people(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildProcess]:
    """Simulated people who use an app until the end of the tests."""
    directory, join = tmp_path_factory.mktemp("people"), cluster.settings.join
    command = [
        sys.executable, "-m", "streams.cli", "simulate", "--bootstrap-servers", cluster.bootstrap_servers,
        "--seed", "3", "--rate", "100", "--wait", str(join.wait), "--grace", str(join.grace),
        "--truth", str(directory / "truth.jsonl"),
    ]  # fmt: skip
    with ChildProcess("simulated apps", command, log=directory / "apps.log") as apps:
        yield apps


@pytest.fixture(scope="module")
def browser(people: ChildProcess) -> Iterator[Browser]:
    """A browser, started last: its event loop would be in the way of those that start the cluster."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


class Watched:
    """A page and what the browser complained about."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.page: Page = browser.new_page(viewport=DESK)
        self.complaints: list[str] = []
        self.page.on("console", self._complain)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.set_default_timeout(PATIENCE * 1000)
        self.page.goto(address)
        expect(self.page.locator("#condition")).to_have_text("reading", timeout=PATIENCE * 1000)

    def _complain(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def text(self, selector: str) -> str:
        """Return the text of one element."""
        return self.page.locator(selector).inner_text()

    def learned(self) -> int:
        """Return how many interactions the page says have been learned."""
        return int(self.text("#learned").split()[0].replace(",", ""))

    def fits(self) -> bool:
        """Say whether nothing is wider than the window."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))

    def until_learned(self, count: int) -> None:
        """Wait until the page says that so many interactions have been learned."""
        deadline = time.monotonic() + PATIENCE
        while (learned := self.learned()) < count:
            assert time.monotonic() < deadline, f"the page has stopped at {learned} interactions"
            self.page.wait_for_timeout(250)


@pytest.fixture
def watched(browser: Browser, cluster: Cluster) -> Iterator[Watched]:
    watched = Watched(browser, cluster.page)
    yield watched
    watched.page.close()


@pytest.mark.timeout(300)
def test_it_explains_itself_and_goes_on_by_itself(watched: Watched, tmp_path: Path) -> None:
    watched.until_learned(ENOUGH if SCREENSHOT else ENOUGH // 6)
    page = watched.page
    # How soon a signal is understood is up to the learner; that the page says so is up to the page.
    taken_for = {
        "click": "+1 satisfied",
        "like": "+1 satisfied",
        "none": "0 indifferent",
        "skip": f"{MINUS}1 dissatisfied",
    }
    for signal, state in taken_for.items():
        row = page.locator("#signals tbody tr").filter(has=page.locator("td, th").first.get_by_text(signal, exact=True))
        expect(row).to_contain_text(state, timeout=PATIENCE * 1000)
    value, lower, upper = (
        float(part.strip("()").replace(MINUS, "-")) for part in watched.text("#value").replace(" to ", " ").split()
    )
    assert lower <= value <= upper
    assert value > 0.5
    clicks = page.locator("#worth tbody tr").filter(has=page.get_by_text("click", exact=True))
    expect(clicks).to_contain_text(re.compile(r"satisfied in (over )?9\d%"), timeout=PATIENCE * 1000)
    expect(page.locator("#worth tbody tr").filter(has=page.get_by_text("none", exact=True))).to_contain_text(
        "by configuration"
    )
    assert page.locator("#rates polyline").count() == 4
    assert "+1 satisfied" in (page.locator("#rates svg").get_attribute("aria-label") or "")
    assert watched.text("#policy").startswith("version ")
    assert "holds all partitions" in watched.text("#worker")
    assert "impressions closed with feedback" in watched.text("#join")
    assert watched.text("#conditions").startswith("Well")
    showing = page.locator("#compared tbody tr")
    for words in ("what the policy ranks first", "what was shown", "at random"):
        expect(showing.filter(has_text=words)).to_have_count(1, timeout=PATIENCE * 1000)
    assert page.locator("#shown tbody tr").count() > 1
    assert "impressions" in (page.locator("#flow svg").get_attribute("aria-label") or "")
    _photograph(page, Path(SCREENSHOT) if SCREENSHOT else tmp_path / "page.png")

    before = watched.learned(), watched.text("#join"), page.locator("#rates polyline").first.get_attribute("points")
    watched.until_learned(before[0] + 100)
    assert watched.text("#join") != before[1]
    assert page.locator("#rates polyline").first.get_attribute("points") != before[2]
    assert watched.complaints == []


def test_a_chart_reads_out_what_is_pointed_at_also_when_it_is_drawn_anew(watched: Watched) -> None:
    watched.until_learned(1)
    readout = watched.page.locator("#rates .readout")
    assert readout.inner_text() == ""
    watched.page.locator("#rates svg").hover()
    expect(readout).to_contain_text(re.compile(r"\d\d:\d\d:\d\d: .*\+1 \d+%"))
    watched.until_learned(watched.learned() + 1)
    expect(readout).to_contain_text("+1 ")
    watched.page.locator("h1").hover()
    expect(readout).to_have_text("")
    assert watched.complaints == []


def test_what_was_chosen_stays_in_the_address(watched: Watched) -> None:
    watched.page.locator("#range").select_option("the last five minutes")
    watched.page.reload()
    expect(watched.page.locator("#range")).to_have_value("minutes")
    watched.page.goto(f"{watched.page.url.split('?')[0]}?model=three-state&range=hour")
    expect(watched.page.locator("#range")).to_have_value("hour")
    expect(watched.page.locator("#name")).to_have_text("three-state")
    expect(watched.page.locator("#unknown")).to_be_hidden()
    assert watched.complaints == []


def test_a_model_in_the_address_that_there_is_not_is_told(watched: Watched) -> None:
    address = watched.page.url
    watched.page.goto(f"{address.split('?')[0]}?model=three%20states")
    expect(watched.page.locator("#unknown")).to_have_text(
        "No model three states is configured: this is three-state. There are three-state."
    )
    watched.page.goto(address)
    assert watched.complaints == []


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, which looks for what keeps people from reading a page."""
    if (npm := shutil.which("npm")) is None:
        pytest.skip("no npm on the PATH")
    folder = tmp_path_factory.mktemp("axe")
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), AXE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{AXE} could not be installed: {done.stderr[-200:]}")
    return (folder / "node_modules/axe-core/axe.min.js").read_text()


@pytest.mark.parametrize("width", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/runbook"])
def test_nothing_keeps_people_from_reading_it(
    watched: Watched, cluster: Cluster, axe: str, path: str, scheme: Literal["light", "dark"], width: ViewportSize
) -> None:
    page = watched.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(width)
    watched.until_learned(1)
    page.goto(cluster.page + path)
    if path == "/":
        expect(page.locator("#rates svg")).to_be_visible(timeout=PATIENCE * 1000)
    page.evaluate(axe)
    found = page.evaluate("axe.run()")
    assert found["passes"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]] == []
    assert watched.fits()


def test_it_fits_a_phone(watched: Watched) -> None:
    watched.page.set_viewport_size(PHONE)
    watched.until_learned(watched.learned() + 1)
    assert watched.fits()
    narrowest = watched.page.locator("#rates svg text").evaluate_all(
        "texts => Math.max(...texts.map(text => text.getBoundingClientRect().right))"
    )
    assert narrowest <= PHONE["width"]
    lines = watched.page.locator("#worth tbody th > bdi").evaluate_all(
        "all => all.map(name => name.getClientRects().length)"
    )
    assert lines == [1] * len(lines), "short names of signals are whole"
    assert lines
    assert watched.complaints == []


def test_names_of_signals_are_only_ever_text(watched: Watched, cluster: Cluster) -> None:
    now = round(time.time() * 1000)
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers)
    for number, signal in enumerate(HOSTILE):
        name = f"hostile-{number}"
        shown = impression(name, now, model="three-state")
        producer.send(cluster.settings.topics.impressions, key=name.encode(), value=encode(shown))
        answered = feedback(name, now + 1, signal=signal)
        producer.send(cluster.settings.topics.feedback, key=name.encode(), value=encode(answered))
    producer.flush()
    producer.close()
    watched.page.set_viewport_size(PHONE)
    for signal in HOSTILE:
        expect(watched.page.locator("#signals bdi").get_by_text(signal, exact=True)).to_have_count(
            1, timeout=PATIENCE * 1000
        )
    assert watched.page.locator("main img, main script").count() == 0
    assert watched.page.title() == "groundswell"
    assert watched.fits()
    assert watched.complaints == []


def test_it_says_when_the_worker_is_gone(watched: Watched, cluster: Cluster) -> None:
    watched.until_learned(1)
    learned = watched.learned()
    cluster.worker.stop()
    gone = watched.page.locator("#gone")
    expect(gone).to_be_visible(timeout=PATIENCE * 1000)
    expect(gone).to_contain_text("The worker does not answer. What you see is from ")
    assert watched.text("#condition") == "gone"
    assert watched.page.title() == "gone: groundswell"
    assert watched.learned() >= learned  # what was known stays in sight
    # The browser itself reports each request that nobody answered; the page adds nothing to it.
    assert [one for one in watched.complaints if "ERR_" not in one] == []


def _photograph(page: Page, path: Path) -> None:
    """Write a picture of the whole page, in few colours: it is to be small."""
    page.screenshot(path=path, full_page=True)
    Image.open(path).convert("RGB").quantize(64).save(path, optimize=True)
    assert path.stat().st_size < 150_000
