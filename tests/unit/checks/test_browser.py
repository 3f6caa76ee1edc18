"""The HTML report in a real browser: what stands where, on a phone and on a screen, by day and by night, and its filters."""

from __future__ import annotations

import json
import re
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

from tests.lab import browser
from uvirtio_tools.cli import main
from uvirtio_tools.reports import load, render

pytestmark = pytest.mark.needs("browser")

LIGHT, DARK = "preferredColorScheme=1", "preferredColorScheme=0"
#: What is asked of the page: numbers in CSS pixels, and contrast as WCAG defines it.
ASK = """
const look = frame => {
  const page = frame.contentDocument, view = frame.contentWindow;
  const box = what => page.querySelector(what).getBoundingClientRect();
  const light = colour => {
    const parts = colour.match(/[0-9.]+/g).slice(0, 3).map(n => n / 255).map(n => n <= 0.03928 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const ground = element => {
    for (let each = element; each; each = each.parentElement) {
      const colour = view.getComputedStyle(each).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const contrast = what => Math.min(...[...page.querySelectorAll(what)].map(element => {
    const pair = [light(view.getComputedStyle(element).color), light(ground(element))].sort((a, b) => b - a);
    return (pair[0] + 0.05) / (pair[1] + 0.05);
  }));
  const shown = () => [...page.querySelectorAll("#matrix tbody tr[id]")].filter(row => row.offsetParent !== null || row.getClientRects().length).length;
  const found = {
    wide: page.documentElement.scrollWidth, verdict: box(".word").top, story: box(".story").top, matrix: box("#matrix").top,
    figure: page.querySelector("figure").scrollWidth > page.querySelector("figure").clientWidth, letters: box(".story p").height,
    contrast: Object.fromEntries(["body", ".small", ".badge", ".word", "small", "a", "summary"].map(what => [what, contrast(what)])),
    ground: view.getComputedStyle(page.body).backgroundColor, all: shown(),
  };
  page.querySelector("#f-PASS").click();
  found.without = shown();
  page.querySelector("#f-PASS").click();
  const find = page.querySelector("#find");
  find.value = "touches no queue";
  find.dispatchEvent(new Event("input"));
  found.searched = shown();
  return found;
};
window.onload = () => {
  const found = [...document.querySelectorAll("iframe")].map(look);
  document.body.textContent = "FOUND" + JSON.stringify(found) + "END";
};
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "result.json"
    assert main(["check", "emulated:blk?fault=V4", "-o", str(path)]) == 1
    return render(load(str(path)), "html")


def seen(page: str, folder: Path, scheme: str, widths: tuple[int, ...] = (360, 1200)) -> list[dict[str, Any]]:
    """The page as it is at each width, in a window of 800 pixels' height."""
    frames = "".join(
        f'<iframe srcdoc="{escape(page)}" width="{width}" height="800" frameborder="0"></iframe>' for width in widths
    )
    whole = folder / "whole.html"
    # The page's own policy lets no other script in: from outside it may be asked all the same.
    whole.write_text(f"<!DOCTYPE html><meta charset=utf-8><body>{frames}<script>{ASK}</script>", encoding="utf-8")
    command: list[str | Path] = [
        browser() or "", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder / 'profile'}",
        f"--blink-settings={scheme}", "--virtual-time-budget=5000", "--dump-dom", whole.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=60)
    found = re.search(r"FOUND(.*)END", done.stdout)
    assert found is not None, done.stderr[-2000:]
    answer: list[dict[str, Any]] = json.loads(unescape(found[1]))
    return answer


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_the_report_is_readable_on_a_phone_and_on_a_screen_by_day_and_by_night(
    page: str, tmp_path: Path, scheme: str
) -> None:
    narrow, wide = seen(page, tmp_path, scheme)
    assert (narrow["wide"], wide["wide"]) == (360, 1200)  # nothing is beyond the right edge
    for each in (narrow, wide):
        assert 0 < each["verdict"] < 120
        assert each["verdict"] < each["story"] < 500 < each["matrix"]
        assert {what: ratio for what, ratio in each["contrast"].items() if ratio < 4.5} == {}
    assert narrow["figure"]  # the timeline scrolls by itself
    assert not wide["figure"]
    assert (wide["ground"] == "rgb(255, 255, 255)") == (scheme == LIGHT)


def test_the_matrix_is_filtered_by_verdict_and_by_words(page: str, tmp_path: Path) -> None:
    (wide,) = seen(page, tmp_path, LIGHT, (1200,))
    assert wide["all"] > 90
    assert 0 < wide["without"] < 30
    assert wide["searched"] == 1
