"""The demo's report and the page of experiments in a real browser: light and dark, on a desk and on a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from matplotlib import pyplot as plt
from playwright.sync_api import Browser, ViewportSize, sync_playwright

from experiments.demo.report import write_report
from experiments.papers import report
from experiments.papers.runs_and_bars import Experiment, Plot, Run
from tests.unit.demo.test_report import result

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)")

DESK, PHONE = ViewportSize(width=1200, height=900), ViewportSize(width=390, height=844)
PANELS = 3
LEAST_CONTRAST = 4.5
"""Of text and what is behind it (WCAG 2.1, AA)."""
SHOWN = "element => element.checkVisibility() && !element.closest('.figure') && !element.closest('thead')"
CONTRASTS = """() => {
  const light = (colour) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
    const linear = (x) => (x /= 255) <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4;
    return .2126 * linear(r) + .7152 * linear(g) + .0722 * linear(b);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "white";
  };
  return [...document.querySelectorAll("body *")]
    .filter((element) => element.checkVisibility())
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .map((element) => {
      const style = getComputedStyle(element);
      const [a, b] = [light(element.closest("svg") ? style.fill : style.color), light(behind(element))];
      return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), element.textContent.trim().slice(0, 40)];
    });
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("reports")
    write_report(result(), directory / "report.html", "groundswell demo")
    report.write(experiment(), [Run("a setting", 0, {"t90": 5.0})], directory / "experiments")
    return {"demo": directory / "report.html", "experiments": directory / "experiments" / "report.html"}


def experiment() -> Experiment:
    def plots(_runs: object) -> list[Plot]:
        return [Plot("curves", "Three panels side by side.", plt.subplots(1, PANELS, figsize=(12, 3))[0])]

    return Experiment(
        name="tiny", title="Tiny", explanation="Nothing much.", configuration={}, settings=("a setting",),
        run=lambda setting, seed: Run(setting, seed, {}), directions={"t90": "lower"}, bars=lambda *_: [], plots=plots,
    )  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("name", ["demo", "experiments"])
def test_nothing_is_cut_and_everything_can_be_read(
    browser: Browser, pages: dict[str, Path], name: str, size: ViewportSize, scheme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(viewport=size, color_scheme=scheme)
    page.goto(pages[name].as_uri())
    cut = page.locator("body *").evaluate_all(
        f"(all) => all.filter({SHOWN}).filter(one => one.getBoundingClientRect().right > innerWidth + 1)"
        ".map(one => one.outerHTML.slice(0, 80))"
    )
    assert cut == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [words for contrast, words in page.evaluate(CONTRASTS) if contrast < LEAST_CONTRAST] == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 18, 18)"}[scheme]
    page.close()


def test_each_figure_of_the_demo_is_shown_once_in_the_size_that_fits(browser: Browser, pages: dict[str, Path]) -> None:
    page = browser.new_page(viewport=DESK)
    page.goto(pages["demo"].as_uri())
    for size, kind in ((DESK, "wide"), (PHONE, "narrow")):
        page.set_viewport_size(size)
        shown = page.locator("svg:visible").evaluate_all("all => all.map(one => one.parentElement.className)")
        assert shown == [kind, kind]
        smallest = page.locator("svg:visible text").evaluate_all(
            "all => Math.min(...all.map(one => [one.getBBox(), one.getScreenCTM()])"
            ".map(([box, scale]) => box.height * Math.hypot(scale.c, scale.d)))"
        )
        assert smallest >= 9  # pixels
    page.close()


def test_on_a_phone_a_figure_of_experiments_shows_a_panel_at_a_time(browser: Browser, pages: dict[str, Path]) -> None:
    page = browser.new_page(viewport=PHONE)
    page.goto(pages["experiments"].as_uri())
    shown, whole = page.locator(".figure").evaluate("one => [one.clientWidth, one.scrollWidth]")
    assert whole == pytest.approx(PANELS * shown, rel=0.01)
    page.close()
