import dataclasses
from html.parser import HTMLParser

import pytest

from reports import ReportError, write_report
from reports.gallery import page

HOSTILE = "</title><script>alert(1)</script> & 50% of_a 'mug' \"x\" http://evil.example/"
VOID = {"meta", "img", "input", "source", "link", "br", "path"}


class Page(HTMLParser):
    """Collects elements, and fails where tags are not nested."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self._open = [], [], []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if not self._open or self._open[-1] not in ("style", "script"):
            self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def written(frames, folder, **changes):
    options = {"title": "Toy", "notes": ["Toy scorers."], "baseline": "sds", "provenance": {"torch": "2.13"}}
    return write_report(frames, folder, **(options | changes))


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def study(make_frames, tmp_path_factory):
    """A study with two seeds, a diverged method of one prompt, and texts that try to be marks; and its report."""
    prompts = {"car": "a car", "mug": HOSTILE}
    frames = make_frames(prompts=prompts, seeds=(0, 1), statuses={("sdi", "mug"): "empty"}, views=4)
    folder = tmp_path_factory.mktemp("study")
    return frames, folder, Page(written(frames, folder, title=HOSTILE, notes=["Toy scorers.", HOSTILE]).read_text())


def test_same_frames_give_the_same_bytes(study, tmp_path):
    frames, folder, _ = study
    written(frames, tmp_path, title=HOSTILE, notes=["Toy scorers.", HOSTILE])
    assert contents(tmp_path) == contents(folder)
    names = ("summary", "summary-common", "differences", "divergence", "cost", "robust", "comparisons", "variance")
    tables = {
        f"tables/{name}.{suffix}" for name in (*names, "failures") for suffix in ("md", "csv", "tex", "html", "json")
    }
    assert set(contents(folder)) == tables | {"index.html", "figures/curves.svg", "pictures/grid.png"}


def test_a_table_that_there_is_no_longer_is_removed(make_frames, tmp_path):
    written(make_frames(views=1, statuses={("sdi", "mug"): "empty"}), tmp_path)
    assert (tmp_path / "tables" / "failures.md").exists()
    written(make_frames(views=1), tmp_path)
    assert not (tmp_path / "tables" / "failures.md").exists()
    assert (tmp_path / "tables" / "summary.md").exists()


def test_page_needs_nothing_but_itself(study):
    _, folder, page = study
    sources = [value for _, attrs in page.elements for key, value in attrs.items() if key in ("src", "srcset")]
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    assert all(attrs["href"].startswith("#") for attrs in page.all("a"))
    assert not page.all("link")
    text = (folder / "index.html").read_text()
    assert "url(" not in text
    assert "@import" not in text


def test_hostile_text_is_shown_as_text(study):
    _, _, page = study
    assert len(page.all("script")) == 1
    assert all(attrs.get("alt") for attrs in page.all("img"))
    assert "".join(page.text).count(HOSTILE) >= 4  # title twice, note, prompt


def test_ids_are_unique_and_links_lead_somewhere(study):
    _, _, page = study
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    named = {attrs["href"][1:] for attrs in page.all("a")} | {attrs["aria-labelledby"] for attrs in page.all("section")}
    assert named <= set(ids)


def test_every_cell_is_shown_with_four_views_and_a_turntable(study):
    frames, _, page = study
    alts = [attrs["alt"] for attrs in page.all("img")]
    for label in ("ground truth", "sds · seed 0", "sds · seed 1", "sdi · seed 0", "sdi · seed 1"):
        for prompt in frames.prompts.values():
            shown = [f"from {azimuth}°" for azimuth in (0, 90, 180, 270)] + ["turntable"]
            assert all(alts.count(f"{label}, {prompt}: {what}") == 1 for what in shown)
    assert sum("opacity from" in alt for alt in alts) == 2 * 4  # evidence: of the diverged cells, and of no other


def test_the_page_says_what_happened_and_where_it_comes_from(study):
    _, _, page = study
    text = " ".join("".join(page.text).split())
    for expected in ("Toy scorers.", "c0ffee", "2.13", "6 of 8 cells completed", "is empty", "ab" * 32):
        assert expected in text


def test_tables_on_disk_carry_the_notes(study):
    _, folder, _ = study
    for suffix in ("md", "tex", "html"):
        assert all("Toy scorers." in path.read_text() for path in (folder / "tables").glob(f"*.{suffix}"))


def test_a_cell_of_24_views_takes_a_sixteenth_of_five_megabytes(make_frames):
    frames = make_frames(methods=("sds",), prompts={"mug": "a mug"}, views=24, side=64)
    size = len(page(frames, [], (b"", b""), title="", notes=[], provenance={}))
    assert size / 2 < 5e6 / 16  # the cell and its ground truth, of noise, which packs worse than any render


def test_a_study_without_a_completed_cell_is_still_reported(make_frames, tmp_path):
    frames = make_frames(views=1)
    cells = frames.cells.assign(status=["empty", "crashed"] * 3, failure="why")
    bare = dataclasses.replace(
        frames, cells=cells, scores=frames.scores.iloc[:0], views=frames.views.iloc[:0], events=frames.events.iloc[:0]
    )
    text = "".join(Page(written(bare, tmp_path).read_text()).text)
    assert text.count("no pictures") == 6
    assert "why" in text


def test_a_cell_that_measured_nothing_is_still_reported(make_frames, tmp_path):
    frames = make_frames(prompts={"mug": "a mug"}, statuses={("sdi", "mug"): "crashed"}, views=1)
    cells = frames.cells.astype(object)
    unmeasured = ["steps", "seconds", "optimise_seconds", "peak_bytes", "peak_kind", "unet_calls", "unet_rows"]
    cells.loc[cells["method"] == "sdi", unmeasured] = None
    text = "".join(Page(written(dataclasses.replace(frames, cells=cells), tmp_path).read_text()).text)
    assert "is crashed" in text
    assert "None" not in text


def test_bad_input_is_one_line_and_writes_nothing(make_frames, tmp_path):
    frames = make_frames(views=1)
    with pytest.raises(ReportError, match="baseline: 'vsd' is not a method of the study: sds, sdi"):
        written(frames, tmp_path / "report", baseline="vsd")
    gone = dataclasses.replace(frames, views=frames.views.assign(rgb_path="/nowhere.png"))
    with pytest.raises(ReportError, match=r"/nowhere\.png"):
        written(gone, tmp_path / "report")
    assert not (tmp_path / "report").exists()
