"""The report in a real browser, from the file system and without a network."""

from __future__ import annotations

import dataclasses
import shutil
import time

import pandas as pd
import pytest
import trimesh
from matplotlib.figure import Figure

from reports.figures.spec import FigureSpec
from reports.frames import GROUND_TRUTH
from reports.tables import all_tables
from reports.write import write_pages

pytestmark = pytest.mark.e2e

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium of this machine, with a temporary profile."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("there is no Chromium on this machine (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """``visit(path)`` opens a page without a network; no request may go to a network or fail."""
    seen, troubles, contexts = [], [], []

    def go(path, *, viewport=DESKTOP, **options):
        context = chromium.new_context(offline=True, viewport=viewport, **options)
        contexts.append(context)
        page = context.new_page()
        page.requests = seen
        page.on("request", lambda request: seen.append(request.url))
        page.on("requestfailed", lambda request: troubles.append(f"{request.url}: {request.failure}"))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.goto(path.as_uri())
        return page

    yield go
    left = [trouble for trouble in troubles if "ERR_ABORTED" not in trouble]  # images of a page that was left
    for context in contexts:
        context.close()
    assert left == []
    assert [url for url in seen if not url.startswith(("file:", "data:", "blob:"))] == []


def with_details(table, frames):
    """Give every entry of a table an interval, a rank group and cells."""
    rows = []
    for row in table.rows:
        cells = tuple(frames.cells.loc[frames.cells["method"] == row.label, "cell"])
        entries = [
            dataclasses.replace(entry, low=entry.mean - 1, high=entry.mean + 1, why="", group=0, cells=cells)
            if entry.mean is not None
            else entry
            for entry in row.entries
        ]
        rows.append(dataclasses.replace(row, entries=tuple(entries)))
    return dataclasses.replace(table, rows=tuple(rows))


@pytest.fixture(scope="module")
def report(make_frames, tmp_path_factory):
    """Three methods on seven prompts, one cell diverged, with normals and meshes."""
    prompts = {f"thing-{index}": f"a thing of number {index}" for index in range(7)}
    methods = ("sds", "sdi", "a_method_with_a_long_name")
    frames = make_frames(methods=methods, prompts=prompts, statuses={("sdi", "thing-1"): "empty"}, views=6, side=24)
    folder = tmp_path_factory.mktemp("browser")
    ball = folder / "ball.glb"
    ball.write_bytes(trimesh.creation.icosphere(2).export(file_type="glb"))
    frames = dataclasses.replace(
        frames,
        cells=frames.cells.assign(mesh_path=str(ball)),
        views=frames.views.assign(normal_path=frames.views["rgb_path"]),
    )
    tables = [with_details(table, frames) for table in all_tables(frames, ["Toy scorers."], baseline="sds")]
    words = {"title": "Toy", "notes": ["Toy scorers."], "provenance": {}}
    return write_pages(frames, folder / "report", tables=tables, figures=[], **words).parent


@pytest.fixture(scope="module")
def large(make_frames, tmp_path_factory):
    """43 prompts × 8 methods of 24 views, which share their images."""
    one = make_frames(methods=[f"method-{index}" for index in range(8)], prompts={"p": "p"}, views=24, side=12)
    columns = ("cells", "scores", "events", "views")
    copies: dict[str, list[pd.DataFrame]] = {name: [] for name in columns}
    for index in range(43):
        prompt = {"prompt_id": f"prompt-{index}", "prompt": f"a photograph of the object with the number {index}"}
        for name in columns:
            frame = getattr(one, name)
            cells = frame["cell"].where(frame["cell"] == "", frame["cell"] + f"-{index}")
            known = {key: value for key, value in prompt.items() if key in frame}
            copies[name].append(frame.assign(cell=cells, **known))
    frames = dataclasses.replace(one, **{name: pd.concat(parts, ignore_index=True) for name, parts in copies.items()})
    folder = tmp_path_factory.mktemp("large") / "report"
    tables = [with_details(table, frames) for table in all_tables(frames, [], baseline="method-0")]
    return write_pages(frames, folder, tables=tables, figures=[], title="Large", notes=[], provenance={}).parent


VALUES = "cells => cells.map(cell => Number(cell.dataset.value))"


def labels(page):
    return page.locator("#table-summary tbody th").all_inner_texts()


def test_sorting_by_click_and_by_keyboard_reorders_the_rows(report, visit):
    page = visit(report / "index.html")
    before = labels(page)
    heading = page.locator("#table-summary thead th").nth(1)
    values = dict(zip(before, page.eval_on_selector_all("#table-summary tbody td:nth-child(2)", VALUES), strict=True))
    heading.locator("button").click()
    assert labels(page) == sorted(before, key=values.get, reverse=True)  # better CLIP scores first
    assert heading.get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")
    assert labels(page) == sorted(before, key=values.get)
    assert heading.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Space")
    assert labels(page) == before
    assert heading.get_attribute("aria-sort") == "none"
    page.locator("#table-summary thead th button").first.focus()
    page.keyboard.press("Enter")
    assert labels(page) == sorted(before)


def test_the_interval_shows_on_hover_and_on_focus_and_goes_on_escape(report, visit):
    page = visit(report / "index.html")
    tip, figures = page.locator("#tip"), page.locator("#table-summary button.figure")
    assert tip.is_hidden()
    figures.nth(1).scroll_into_view_if_needed()
    page.wait_for_timeout(700)  # the page scrolls smoothly, and scrolling hides the tip
    figures.nth(1).hover()
    assert tip.inner_text().startswith("95 % interval [")
    inside = tip.bounding_box()
    assert inside["x"] >= 0
    assert inside["x"] + inside["width"] <= DESKTOP["width"]
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    page.mouse.move(0, 0)
    figures.nth(2).focus()
    assert tip.is_visible()
    page.keyboard.press("Tab")
    assert figures.nth(3).evaluate("figure => figure === document.activeElement")
    assert tip.is_visible()


def test_a_press_shows_the_cells_of_a_number_with_links(report, visit):
    page = visit(report / "index.html")
    page.locator("#table-summary tbody tr", has_text="sdi").locator("button.figure").first.focus()
    page.keyboard.press("Enter")
    panel = page.locator("#origin")
    assert panel.is_visible()
    assert panel.locator("h2").inner_text().startswith("sdi: CLIP")
    for expected in ("95 % interval", "c0ffee", "ab" * 6, "a CPU", "empty", "completed"):
        assert expected in panel.inner_text()
    assert panel.locator("tbody tr").count() == 7
    page.keyboard.press("Escape")
    assert panel.is_hidden()
    page.keyboard.press("Enter")  # the focus is where it was
    panel.locator("tbody a").nth(1).click()
    page.wait_for_url("**/prompts/thing-1.html#sdi-0")
    assert page.locator("h1").inner_text() == "a thing of number 1"
    assert page.locator("#sdi-0").is_visible()


def test_on_a_phone_a_tap_shows_the_interval(report, visit):
    page = visit(report / "index.html", viewport=PHONE, has_touch=True, is_mobile=True)
    page.locator("#table-summary button.figure").first.tap()
    assert "95 % interval" in page.locator("#origin").inner_text()
    page.locator("#origin .close").tap()
    assert page.locator("#origin").is_hidden()


def test_the_filter_leaves_the_prompts_with_all_words(report, visit):
    page = visit(report / "index.html")
    page.locator("#filter").fill("NUMBER 3")
    assert page.locator(".images tbody tr:visible").count() == 1
    assert page.locator("#found").inner_text() == "1 of 7"
    page.locator("#filter").fill("")
    assert page.locator(".images tbody tr:visible").count() == 7


def test_the_switch_shows_normals_and_opacity_of_all_methods_and_loads_them_only_then(report, visit):
    page = visit(report / "prompts" / "thing-0.html")
    page.wait_for_load_state("networkidle")
    assert page.locator("#sds-0 img.rgb, #sds-0 .rgb img").first.is_visible()
    assert not [url for url in page.requests if "normals" in url or "opacity" in url]
    page.locator("#mode-rgb").focus()
    for mode in ("normals", "opacity"):
        page.keyboard.press("ArrowRight")
        shown = page.locator("#sds-0 img:visible")
        assert shown.count() == 5
        assert all(f": {mode}" in alt for alt in shown.evaluate_all("all => all.map(one => one.alt)"))
        page.wait_for_function(
            "() => [...document.querySelectorAll('#sds-0 img')].some(one => one.checkVisibility() && one.naturalWidth)"
        )
        page.wait_for_load_state("networkidle")
        assert any(f"turntables/thing-0/sds-0/{mode}.webp" in url for url in page.requests)


def test_turntables_turn_together_and_rest_with_reduced_motion(report, visit):
    page = visit(report / "prompts" / "thing-0.html", reduced_motion="reduce")
    positions = "all => all.filter(one => one.checkVisibility()).map(one => one.style.objectPosition)"
    button, slider = page.locator(".player button"), page.locator(".player input")
    assert button.inner_text() == "Play"
    slider.focus()
    page.keyboard.press("End")
    page.wait_for_function(f"() => ({positions})([...document.querySelectorAll('img.turntable')]).every(Boolean)")
    turned = page.locator("img.turntable").evaluate_all(positions)
    assert len(turned) == 4
    assert len(set(turned)) == 1
    assert turned[0].startswith("100%")
    button.click()
    page.wait_for_function("before => document.querySelector('.player input').value !== before", arg="359")
    assert button.inner_text() == "Pause"


def test_a_full_image_is_shown_on_the_page(report, visit):
    page = visit(report / "prompts" / "thing-0.html")
    page.locator("#sds-0 a.full.rgb").first.click()
    assert page.locator("#image").is_visible()
    assert page.locator("#image img").evaluate("one => one.decode().then(() => one.naturalWidth)") == 24
    assert page.locator("#image figcaption").inner_text().startswith("sds, a thing of number 0: rgb from 0°")
    page.keyboard.press("Escape")
    assert page.locator("#image").is_hidden()


def test_meshes_are_loaded_and_drawn_when_they_are_opened(report, visit):
    page = visit(report / "prompts" / "thing-0.html")
    page.wait_for_load_state("networkidle")
    assert not [url for url in page.requests if "meshes/" in url]
    page.locator("details.mesh summary").click()
    frame = page.frame_locator("details.mesh iframe")
    frame.locator("canvas").wait_for()
    viewer = next(one for one in page.frames if "meshes/" in one.url)
    viewer.wait_for_function("() => window.scene?.children.length > 1", timeout=10_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", ["index.html", "prompts/thing-1.html"])
def test_no_page_is_wider_than_its_window(report, visit, tmp_path, name, viewport, scheme):
    page = visit(report / name, viewport=viewport, color_scheme=scheme)
    page.locator("details").evaluate_all(
        "all => all.filter(one => !one.dataset.src).forEach(one => { one.open = true; })"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert page.screenshot(path=tmp_path / "page.png")  # whole, it may be too tall for Chromium
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(251, 250, 247)", "dark": "rgb(23, 22, 20)"}[scheme]


def test_a_wide_figure_scrolls_in_its_frame_on_a_phone(make_frames, visit, tmp_path):
    """Its text stays at least 7 pixels high, and a desktop shows all of it."""
    inches = {"narrow": 3, "usual": 9, "wide": 15}
    figures = [
        (FigureSpec(name, "x", name), lambda theme, wide=wide: Figure((wide, 4))) for name, wide in inches.items()
    ]
    frames, words = make_frames(views=1), {"title": "Toy", "notes": [], "provenance": {}}
    write_pages(frames, tmp_path / "report", tables=[], figures=figures, **words)
    for viewport in (DESKTOP, PHONE):
        page = visit(tmp_path / "report" / "index.html", viewport=viewport)
        for name, wide in inches.items():
            frame = page.get_by_role("region", name=name, exact=True)
            shown, seen = (frame.evaluate(f"frame => frame.{width}") for width in ("scrollWidth", "clientWidth"))
            pixels = frame.locator("img").evaluate("image => image.getBoundingClientRect().width") / (72 * wide)
            assert 8 * pixels >= 7
            assert (shown > seen) == (viewport is PHONE and name != "narrow")
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_everything_can_be_reached_by_keyboard(report, visit):
    page = visit(report / "index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    unnamed = page.evaluate(
        "[...document.querySelectorAll('a, button, input, summary')]"
        ".filter(one => !(one.textContent.trim() || one.ariaLabel || one.labels?.length))"
        ".filter(one => !one.querySelector('img[alt]'))"
        ".map(one => one.outerHTML)"
    )
    assert unnamed == []
    assert page.locator("[tabindex]:not([tabindex='0'])").count() == 0


def test_43_prompts_of_8_methods_open_in_3_seconds_and_load_images_when_they_become_visible(large, visit):
    start = time.perf_counter()
    page = visit(large / "index.html")
    seconds = time.perf_counter() - start
    assert seconds < 3
    thumbnails = [url for url in page.requests if "/thumbnails/" in url]
    assert len(thumbnails) < 43 * 9 * 2 * 3 / 4  # Chromium loads what is up to 2500 pixels below the window
    with page.expect_request(lambda request: "/thumbnails/prompt-42/" in request.url):
        page.locator(".images tbody tr").last.scroll_into_view_if_needed()
    tile = page.locator(".images tbody tr").last.locator(f"img[alt^='{GROUND_TRUTH}']").first
    assert tile.evaluate("one => one.decode().then(() => one.naturalWidth)") == 12
    assert sum(path.stat().st_size for path in large.rglob("*") if path.is_file()) < 150e6
    assert (large / "index.html").stat().st_size < 1e6
