"""The page in a real browser: at the width of a phone and of a desk, light and dark."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import escape, unescape
from itertools import pairwise
from pathlib import Path

import pytest

from tapctl.reports import render
from tests.reports.examples import RUNS, run

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PHONE, DESK = 360, 1280
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *(
        "--disable-quic",
        "--disable-component-update",
        "--disable-sync",
        "--virtual-time-budget=5000",
        "--window-size=1400,2000",
    ),
)
# The page itself runs no script: one in the document around it looks at the page.
_LOOK = """
function light(colour) {
  const [r, g, b] = colour.match(/[0-9.]+/g).map(Number).map(v => v / 255).map(
    v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b;
}
function behind(element, view) {
  for (; element; element = element.parentElement) {
    const box = element.tagName === 'g' && element.querySelector('rect');
    const colour = box ? view.getComputedStyle(box).fill : view.getComputedStyle(element).backgroundColor;
    if (!/, 0\\)$/.test(colour)) return colour;
  }
  return 'rgb(255, 255, 255)';
}
function look(frame) {
  const page = frame.contentDocument, view = frame.contentWindow;
  let contrast = 21, smallest = 99;
  const texts = page.createTreeWalker(page.body, view.NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode());) {
    const element = text.parentElement, style = view.getComputedStyle(element);
    if (!text.data.trim() || element.closest('.hidden, .skip, title')) continue;
    const own = element.namespaceURI.endsWith('svg') ? style.fill : style.color;
    const [a, b] = [light(own), light(behind(element, view))];
    contrast = Math.min(contrast, (Math.max(a, b) + .05) / (Math.min(a, b) + .05));
    smallest = Math.min(smallest, parseFloat(style.fontSize));
  }
  return {width: frame.clientWidth, needed: page.documentElement.scrollWidth, contrast, smallest,
    dark: view.matchMedia('(prefers-color-scheme: dark)').matches,
    boxes: page.querySelectorAll('svg g.box').length,
    tracks: [...page.querySelectorAll('.track')].every(track => track.clientWidth > 100),
    bare: [...page.querySelectorAll('.track i:not(.whole)')].map(bar => view.getComputedStyle(bar)).filter(
      style => style.backgroundImage === 'none' && /, 0\\)$/.test(style.backgroundColor)).length,
    headings: [...page.querySelectorAll('h1, h2, h3')].map(heading => Number(heading.tagName[1]))};
}
onload = () => {
  const seen = [...document.querySelectorAll('iframe')].map(look);
  document.body.innerHTML = `<pre id="seen">${JSON.stringify(seen)}</pre>`;
};
"""

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium here (apt-get install chromium): the page is not looked at in a browser"
)


@pytest.mark.parametrize("dark", [False, True])
def test_every_page_fits_a_phone_and_a_desk_and_can_be_read(tmp_path: Path, dark: bool) -> None:
    frames = [
        f'<iframe width="{width}" height="900" style="border:0" srcdoc="{escape(render(run(name), "html"))}"></iframe>'
        for name in RUNS
        for width in (PHONE, DESK)
    ]
    page = tmp_path / "around.html"
    page.write_text(
        f'<!doctype html><meta charset="utf-8"><body>{"".join(frames)}<script>{_LOOK}</script>', encoding="utf-8"
    )
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    command = [str(BROWSER), *_FLAGS, scheme, f"--user-data-dir={tmp_path}/profile", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stderr
    seen = json.loads(unescape(found[1]))
    assert [each["width"] for each in seen] == [PHONE, DESK] * len(RUNS)
    for name, each in zip((name for name in RUNS for _ in range(2)), seen, strict=True):
        assert each["needed"] <= each["width"], name
        assert each["contrast"] >= 4.5, name  # WCAG 2.2, 1.4.3
        assert each["smallest"] >= 11, name
        assert each["tracks"], name
        assert each["bare"] == 0, "a bar that nobody sees"
        assert all(after - before <= 1 for before, after in pairwise([0, *each["headings"]])), name
        assert each["dark"] is dark, name
    assert [each["boxes"] for each in seen[:2]] == [4, 4]
