# SPDX-License-Identifier: GPL-3.0-or-later
"""The widget as users meet it: JupyterLab in headless Chromium, with nothing but clicks.

Screenshots are kept in ``$PSNMF_SCREENSHOTS``, if set. Needs Debian's ``chromium`` and the
extra ``browser-tests``; selected by ``-m browser``.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("jupyterlab", reason="needs the extra browser-tests")
pytest.importorskip("hyperspy_gui_ipywidgets", reason="needs the extra gui-jupyter")
playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra browser-tests")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
]

NOTEBOOK = Path(__file__).resolve().parents[3] / "notebooks" / "05_widget.ipynb"
SECOND = 1000  # ms
START = 240 * SECOND  # of a server and a kernel on a loaded machine
RUN = 240 * SECOND
FIRST, FROM_FILE = 0, 1  # the widgets of the notebook


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the notebook and a map without elements, in which the server runs."""
    from hyperspy_psnmf import data

    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(NOTEBOOK, folder)
    grains = data.mineral_grains(shape=(48, 64), counts=200, n_channels=1000)
    del grains.metadata.Sample, grains.metadata.Truth
    grains.save(folder / "grains.hspy")
    return folder


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory):
    chosen = os.environ.get("PSNMF_SCREENSHOTS")
    path = Path(chosen) if chosen else tmp_path_factory.mktemp("screenshots")
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture(scope="module")
def server(folder):
    """The address of a JupyterLab that runs in the folder."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    own = {name: str(folder / "jupyter") for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    options = ["--no-browser", "--allow-root", f"--port={port}", "--ServerApp.ip=127.0.0.1",
               "--IdentityProvider.token=", "--ServerApp.port_retries=0",
               "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]  # fmt: skip
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    # Or else a question about news lies over the notebook.
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    own["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            cwd=folder,
            env={**os.environ, **own, "PYTHONWARNINGS": "ignore::DeprecationWarning"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address + "/api", process, folder / "server.log")
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(address, process, log):
    end = time.monotonic() + START / SECOND
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    raise RuntimeError(f"no JupyterLab:\n{log.read_text()}")


@pytest.fixture(scope="module")
def page(server):
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 2000})
        page.set_default_timeout(90 * SECOND)
        page.goto(f"{server}/lab/tree/{NOTEBOOK.name}", timeout=START)
        page.locator(".jp-Notebook h1", has_text="The widget").wait_for(timeout=START)
        _run_all(page)
        yield page
        browser.close()


def _run_all(page):
    # While the kernel is starting, nothing is run, or a dialog asks whether to wait for it.
    page.get_by_text("| Idle").wait_for(timeout=START)
    prompt = page.locator(".jp-CodeCell .jp-InputPrompt").first
    end = time.monotonic() + START / SECOND
    while not re.search(r"[\d*]", prompt.inner_text()) and time.monotonic() < end:
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        time.sleep(3)
        accept = page.locator(".jp-Dialog .jp-mod-accept")
        if accept.count():
            accept.first.click()
    # Every cell has its number when it has been run.
    page.wait_for_function(
        "() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]"
        ".every(prompt => /\\d/.test(prompt.innerText))",
        timeout=START,
    )


class Widget:
    """The parts of one widget, found as people find them: by what is written on them."""

    def __init__(self, page, number, folder):
        self.page, self.folder = page, folder
        roots = page.locator(".jp-OutputArea-output > .widget-vbox")
        self.root = roots.nth(number)
        self.root.scroll_into_view_if_needed()

    def button(self, name):
        # Icons are letters of a private alphabet, in front.
        return self.root.get_by_role("button", name=re.compile(rf"(^|\W){re.escape(name)}$"))

    def input(self, label):
        row = self.root.locator(".widget-inline-hbox").filter(
            has=self.page.get_by_text(label, exact=True)
        )
        return row.locator("input:not([type=checkbox])").first

    def tick(self, label, on):
        box = self.root.locator("label", has_text=label).locator("input").first
        box.set_checked(on)

    def enter(self, label, text):
        self.input(label).fill(text)
        self.input(label).press("Tab")

    def tab(self, name):
        self.root.get_by_role("tab", name=name, exact=True).click()

    def shown(self, selector):
        return self.root.locator(f".widget-tab-contents {selector}:visible")

    def expect(self, text, timeout=RUN):
        try:
            self.root.get_by_text(re.compile(text)).first.wait_for(timeout=timeout)
        except playwright.TimeoutError:
            self.show("failed")
            raise

    def progress(self):
        style = self.root.locator(".progress-bar").first.get_attribute("style")
        return float(re.search(r"width:\s*([\d.]+)%", style).group(1))

    def show(self, name):
        self.root.screenshot(path=self.folder / f"{name}.png")


@pytest.fixture
def first(page, screenshots):
    return Widget(page, FIRST, screenshots)


@pytest.fixture
def from_file(page, screenshots):
    return Widget(page, FROM_FILE, screenshots)


def test_browser__it_opens_with_a_preview_and_says_the_counts_of_bins(first):
    first.expect("pixels per bin")
    assert first.root.locator("img").first.evaluate("image => image.naturalWidth") > 100
    first.show("1_opened")


def test_browser__another_binning_is_previewed_at_once(first):
    first.tick("Automatic", False)
    first.enter("Binning", "8")
    first.expect("8 x 8 pixels per bin: 64 bins")
    first.show("2_binning")


def test_browser__bad_input_is_reported_and_harms_nothing(first, page):
    first.enter("Binning", "0")
    first.expect("binning must be at least 1")
    first.show("3_bad_input")
    first.enter("Binning", "4")
    first.expect("4 x 4 pixels per bin: 256 bins")
    assert page.get_by_text("Traceback").count() == 0


def test_browser__a_run_moves_its_bar_and_can_be_cancelled(first):
    first.tick("Estimate it", True)
    first.button("Run").click()
    seen = set()
    while len(seen) < 3:
        seen.add(first.progress())
        time.sleep(0.05)
    first.show("4_running")
    first.button("Cancel").click()
    first.expect("Cancelled; the signal is unchanged")
    assert sorted(seen)[-1] < 100
    first.show("5_cancelled")


def test_browser__a_run_ends_with_maps_and_spectra(first):
    first.tick("Estimate it", False)
    first.button("Run").click()
    first.expect("Done in")
    first.expect("output_dimension=3")
    assert first.shown("img").evaluate("image => image.naturalWidth") > 300
    first.show("6_phases")


def test_browser__residuals(first):
    first.tab("Residuals")
    first.button("Show residuals").click()
    first.shown("img").wait_for()
    assert first.shown("img").evaluate("image => image.naturalWidth") > 300
    first.show("7_residuals")


def test_browser__composition(first):
    first.tab("Composition")
    ticks = first.shown("input[type=checkbox]")
    for element in (0, 1):  # C and Cu
        ticks.nth(element).set_checked(False)
    first.button("Quantify").click()
    first.expect("Composition in at%")
    first.shown("img").wait_for()
    first.show("8_composition")


def test_browser__export(first, folder):
    first.tab("Save")
    first.enter("Folder", "results")
    for name in ("PNG", "CSV", ".hspy"):
        first.button(name).click()
        first.expect(f"Wrote results/.*{name.strip('.').lower()}")
    written = {path.name for path in (folder / "results").iterdir()}
    assert {"phases.png", "composition.csv", "map.hspy"} <= written
    first.show("9_save")


def test_browser__from_a_file_to_a_table_of_compositions(from_file):
    from_file.enter("File", "grains.hspy")
    from_file.button("Open").click()
    from_file.expect("opened")
    from_file.enter("Elements", "Mg, Fe, Si, O")
    from_file.button("Run").click()
    from_file.expect("Done in")
    from_file.tab("Composition")
    numbers = from_file.shown("input[type=number]")
    assert numbers.count() == 8
    for row in range(4):
        numbers.nth(2 * row).select_text()
        numbers.nth(2 * row).press_sequentially("1.2")
        numbers.nth(2 * row).press("Tab")
    from_file.button("Quantify").click()
    from_file.expect("Composition in at%")
    from_file.shown("img").wait_for()
    from_file.show("10_from_a_file")


def test_browser__the_notebook_has_the_result_and_no_traceback(page, screenshots):
    page.screenshot(path=screenshots / "11_notebook.png")
    assert page.get_by_text("Traceback").count() == 0
