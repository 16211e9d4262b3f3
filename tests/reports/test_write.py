import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from PIL import Image

from reports import FigureSpec, ReportData, ReportError, write_report
from reports.figures.drawing import style
from reports.frames import ReportFrames
from reports.render import FORMATS

from ..conftest import blank_files  # noqa: TID252  (tests are no package)

HOSTILE = "</title><script>alert(1)</script> & 50% of_a 'mug' \"x\" http://evil.example/"
#: Ids that are not file names, or equal on file systems that ignore case.
IDS = {"car": "../../car", "mug": "CON", "duck": 'A "<b>', "robot": 'a "<b>', "boat": "an id of " + "many " * 60}
LABELS = {"sds": "../sds", "sdi": "<i>sdi</i> http://evil.example/"}
VOID = {"meta", "img", "input", "source", "link", "br", "path", "rect"}
MODES = ("rgb", "normals", "opacity")


class Page(HTMLParser):
    """Collect elements and their text, and fail if tags are not nested."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.sources, self._open = [], [], {"style": [], "script": []}, []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        assert tag != "source" or self._open[-1] in ("picture", "video"), "elsewhere a browser ignores it"
        if tag not in VOID:
            self._open.append(tag)
        if tag in self.sources:
            self.sources[tag].append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] in self.sources:
            self.sources[self._open[-1]][-1] += data
        else:
            self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def words(self):
        return " ".join("".join(self.text).split())

    @property
    def ids(self):
        return [attrs["id"] for _, attrs in self.elements if "id" in attrs]

    @property
    def references(self):
        """Everything that a browser might load or open."""
        names = ("src", "href", "srcset", "data-src", "action", "poster", "data", "xlink:href", "formaction")
        return [value for _, attrs in self.elements for name, value in attrs.items() if name in names]


def written(frames, folder, **changes):
    options = {"title": "Toy", "notes": ["Toy scorers."], "baseline": "sds", "provenance": {"torch": "2.13"}}
    options["cards"] = [("Metric quality", [("definition", "definition of CLIP-IQA")])]
    options |= changes
    of_data = {field.name for field in dataclasses.fields(ReportData)} & options.keys()
    data = ReportData(frames, **{name: options.pop(name) for name in of_data})
    return write_report(data, folder, **options).page


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def size(path):
    with Image.open(path) as image:
        return image.size


def with_normals(frames):
    """Use the colours as normals too; the ground truth has none."""
    known = frames.views["cell"] != ""
    return dataclasses.replace(frames, views=frames.views.assign(normal_path=frames.views["rgb_path"].where(known)))


def renamed(frames, **names):
    """Rename ids or labels of a study."""
    changed = {
        frame.name: getattr(frames, frame.name).replace(
            {column: new for column, new in names.items() if column in getattr(frames, frame.name)}
        )
        for frame in dataclasses.fields(ReportFrames)
    }
    return ReportFrames(**changed)


@pytest.fixture(scope="module")
def study(make_frames, tmp_path_factory):
    """A study with two seeds, a method that diverged on one prompt, and texts with markup; and its report."""
    prompts = {"car": "a car", "mug": HOSTILE, "duck": "a duck", "robot": "a robot", "boat": "a boat"}
    frames = make_frames(prompts=prompts, seeds=(0, 1), statuses={("sdi", "mug"): "empty"}, views=4)
    frames = renamed(with_normals(frames), prompt_id=IDS, method=LABELS)
    folder = tmp_path_factory.mktemp("study") / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "_save", blank_files)
        written(frames, folder, title=HOSTILE, notes=["Toy scorers.", HOSTILE], baseline=LABELS["sds"])
    return frames, folder


@pytest.fixture(scope="module")
def pages(study):
    _, folder = study
    return {path: Page(path.read_text()) for path in [folder / "index.html", *sorted((folder / "prompts").iterdir())]}


def page_of(pages, heading):
    """Find the page of a prompt by its title."""
    return next(page for page in pages.values() if "".join(page.text).strip().startswith(f"{heading} · "))


@pytest.mark.usefixtures("blank_figures")  # for those, tests/reports/figures/test_spec.py
def test_same_frames_give_the_same_bytes(study, tmp_path):
    frames, folder = study
    written(frames, tmp_path, title=HOSTILE, notes=["Toy scorers.", HOSTILE], baseline=LABELS["sds"])
    assert contents(tmp_path) == contents(folder)


def test_the_report_is_one_folder_of_known_parts(study):
    _, folder = study
    names = set(contents(folder))
    for table in ("summary", "differences"):
        assert {f"tables/{table}.{suffix}" for suffix in FORMATS} <= names
    assert {"index.html", "figures/curves.svg", "figures/curves-dark.svg", "images/grid.png"} <= names
    assert len([name for name in names if name.startswith("prompts/")]) == 5
    assert all(re.fullmatch(r"[a-z0-9./_-]+", name) for name in names)
    assert len({name.lower() for name in names}) == len(names)


@pytest.mark.usefixtures("blank_figures")
def test_a_table_that_no_longer_exists_is_removed(make_frames, tmp_path):
    written(make_frames(views=1, statuses={("sdi", "mug"): "empty"}), tmp_path)
    assert (tmp_path / "tables" / "failures.md").exists()
    written(make_frames(views=1), tmp_path)
    assert not (tmp_path / "tables" / "failures.md").exists()
    assert (tmp_path / "tables" / "summary.md").exists()


def test_every_reference_leads_to_a_file_inside(study, pages):
    _, folder = study
    for path, page in pages.items():
        assert page.references
        for reference in page.references:
            parts = urlsplit(reference)
            if parts.scheme == "data":
                continue
            assert not parts.scheme, reference
            assert not parts.netloc, reference
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_relative_to(folder.resolve()), reference
            assert target.is_file(), reference
            if parts.fragment:
                assert unquote(parts.fragment) in pages[target].ids, reference


def test_pages_allow_neither_the_network_nor_scripts_of_the_data(pages):
    for page in pages.values():
        (policy,) = [attrs["content"] for attrs in page.all("meta") if "http-equiv" in attrs]
        assert policy.startswith("default-src 'none'; ")
        assert not re.search(r"http|unsafe|\*|connect-src", policy)
        data, script = page.sources["script"]  # the first is data, by its type
        assert page.all("script") == [{"type": "application/json", "id": "cell-list"}, {}]
        assert "<" not in data
        (style,) = page.sources["style"]
        for source, directive in ((script, "script-src"), (style, "style-src")):
            digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
            assert f"{directive} 'sha256-{digest}'" in policy
        assert not re.search(r"url\(|@import|https?:", style)
        assert not any("style" in attrs or name.startswith("on") for _, attrs in page.elements for name in attrs)


def test_hostile_text_is_shown_as_text(pages):
    for page in pages.values():
        assert HOSTILE in "".join(page.text)  # the title
        assert not page.all("i")
        assert not page.all("b")
    assert "".join(page_of(pages, HOSTILE).text).count(HOSTILE) >= 4  # twice for the study, twice for the prompt
    assert all(attrs.get("alt") for page in pages.values() for attrs in page.all("img") if "src" in attrs)


def test_ids_are_unique_and_referenced_ids_exist(pages):
    for page in pages.values():
        assert len(page.ids) == len(set(page.ids))
        assert {attrs["aria-labelledby"] for _, attrs in page.elements if "aria-labelledby" in attrs} <= set(page.ids)


def test_every_cell_is_shown_with_four_views_and_a_turntable_in_every_mode(study, pages):
    frames, _ = study
    for prompt in frames.prompts.values():
        alts = [attrs["alt"] for attrs in page_of(pages, prompt).all("img")]
        for label in ("ground truth", *(f"{label} · seed {seed}" for label in LABELS.values() for seed in (0, 1))):
            for mode in MODES:
                shown = [f"{mode} from {azimuth}°" for azimuth in (0, 90, 180, 270)] + [f"{mode}, turntable"]
                times = 0 if label == "ground truth" and mode == "normals" else 1
                assert all(alts.count(f"{label}, {prompt}: {what}") == times for what in shown)


def test_images_are_loaded_lazily(pages):
    for page in pages.values():
        shown = [attrs for attrs in page.all("img") if "src" in attrs]
        assert shown
        assert all(attrs["loading"] == "lazy" for attrs in shown)


def test_the_page_has_outcomes_and_provenance(study, pages):
    _, folder = study
    page = pages[folder / "index.html"]
    for expected in (
        "Toy scorers.",
        "c0ffee",
        "2.13",
        "18 of 20 cells that were run completed",
        "is empty",
        "definition of CLIP-IQA",
    ):
        assert expected in page.words
    assert f"{LABELS['sdi']} 8 completed, 2 empty" in page.words
    evidence = [attrs["alt"] for attrs in page.all("img") if "opacity from" in attrs.get("alt", "")]
    assert len(evidence) == 2 * 4  # of the diverged cells only
    assert all(f"{LABELS['sdi']} · seed" in alt for alt in evidence)


def test_a_prompts_page_has_scores_settings_and_provenance(pages):
    page = page_of(pages, "a duck")
    for expected in ("CLIP", '"method": "sds"', "c0ffee", "SHA-256 " + "ab" * 32, "loss:", "opacity:"):
        assert expected in page.words
    places = [attrs["data-cells"] for attrs in page.all("button") if "data-cells" in attrs]
    assert set(places) == {"0", "1", "2", "3"}


def test_prompts_follow_one_another(study, pages):
    _, folder = study
    links = [attrs["href"] for attrs in pages[folder / "index.html"].all("a")]
    seen, path = [], folder / next(link for link in links if link.startswith("prompts/") and "#" not in link)
    while path:
        seen.append(path.name)
        links = [attrs["href"] for attrs in pages[path].all("a") if attrs.get("rel") == "next"]
        path = path.parent / links[0].removeprefix("../prompts/") if links else None
    assert len(seen) == len(set(seen)) == 5


def test_tables_on_disk_carry_the_notes(study):
    _, folder = study
    for suffix in ("md", "tex", "html"):
        assert all("Toy scorers." in path.read_text() for path in (folder / "tables").glob(f"*.{suffix}"))


def test_a_figure_of_the_study_is_drawn_and_shown(make_frames, tmp_path):
    spec = FigureSpec("arms-of-clip", "arms", "The arms", "Look here.", metrics=("clip_score",))
    frames = make_frames(views=2)
    one = frames.metric_columns["metric"] == "clip_score"  # drawing takes seconds
    frames = dataclasses.replace(frames, metric_columns=frames.metric_columns.assign(headline=one))
    page = Page(written(frames, tmp_path, figures=[spec]).read_text())
    assert "The arms" in page.words
    assert "Look here." in page.words
    assert "figures/arms-of-clip-dark.svg" in page.references
    assert (tmp_path / "figures" / "arms-of-clip.svg").read_bytes().startswith(b"<?xml")


@pytest.mark.usefixtures("blank_figures")
def test_two_figures_of_one_name_are_refused(make_frames, tmp_path):
    for names in (("mine", "mine"), ("mine", "profiles")):  # the latter is a standard one's
        specs = [FigureSpec(name, "arms", "T", metrics=("clip_score",)) for name in names]
        with pytest.raises(ReportError, match=f"figures: two are called '{names[1]}'"):
            written(make_frames(), tmp_path, figures=specs)
    assert not (tmp_path / "index.html").exists()


def test_large_renders_have_a_thumbnail_and_a_link_to_the_full_image(make_frames, tmp_path):
    frames = make_frames(methods=("sds",), prompts={"mug": "a mug"}, views=2, side=200)
    written(frames, tmp_path)
    page = Page((tmp_path / "prompts" / "mug.html").read_text())
    full = [attrs["href"] for attrs in page.all("a") if attrs.get("class", "").startswith("full")]
    assert full
    assert {size(tmp_path / "prompts" / reference) for reference in full} == {(200, 200)}
    assert {size(path) for path in (tmp_path / "thumbnails").rglob("*.webp")} == {(192, 192)}


@pytest.mark.usefixtures("blank_figures")
def test_a_study_without_a_completed_cell_is_still_reported(make_frames, tmp_path):
    frames = make_frames(views=1)
    cells = frames.cells.assign(status=["empty", "crashed"] * 3, failure="why")
    bare = dataclasses.replace(
        frames, cells=cells, scores=frames.scores.iloc[:0], views=frames.views.iloc[:0], events=frames.events.iloc[:0]
    )
    text = Page(written(bare, tmp_path).read_text()).words
    assert text.count("no images") == 6
    assert "why" in text
    assert Page((tmp_path / "prompts" / "mug.html").read_text()).words.count("no images") == 2


@pytest.mark.usefixtures("blank_figures")
def test_many_failures_are_folded_and_none_is_lost(make_frames, tmp_path):
    prompts = {f"p-{index}": f"prompt {index}" for index in range(9)}
    statuses = {(method, prompt): "empty" for method in ("sds", "sdi") for prompt in prompts}
    page = Page(written(make_frames(prompts=prompts, statuses=statuses, views=1), tmp_path).read_text())
    assert len([attrs for attrs in page.all("p") if attrs.get("class") == "reason"]) == 18
    assert "6 more" in page.words


@pytest.mark.usefixtures("blank_figures")
def test_a_cell_that_measured_nothing_is_still_reported(make_frames, tmp_path):
    frames = make_frames(prompts={"mug": "a mug"}, statuses={("sdi", "mug"): "crashed"}, views=1)
    cells = frames.cells.astype(object)
    unmeasured = ["steps", "seconds", "optimise_seconds", "peak_bytes", "peak_kind", "unet_calls", "unet_rows"]
    cells.loc[cells["method"] == "sdi", unmeasured] = None
    written(dataclasses.replace(frames, cells=cells), tmp_path)
    for name in ("index.html", "prompts/mug.html"):
        page = Page((tmp_path / name).read_text())
        assert "is crashed" in page.words
        assert "None" not in page.words


def test_an_imported_arm_has_scores_and_no_cost(make_frames, as_imported, tmp_path):
    frames = make_frames(statuses={("sdi", "mug"): "empty"}, views=1)
    frames = as_imported(frames, "sdi", ["red-car", "mug"])
    report = write_report(ReportData(frames, "Toy", "sds"), tmp_path)
    row = next(row for row in report.tables[0].rows if row.label == "sdi")
    entries = dict(zip([column.key for column in report.tables[0].columns], row.entries, strict=True))
    assert entries["divergence"].note == "by the images"
    assert entries["clip_score"].mean is not None
    assert all(entries[cost].mean is None and not entries[cost].text for cost in ("time", "memory", "unet_rows"))
    failures = next(table for table in report.tables if table.name == "failures")
    assert [(row.part, row.label) for row in failures.rows if row.part == "sdi"] == [("sdi", "mug")]
    page = Page((tmp_path / "prompts/mug.html").read_text())
    assert "made elsewhere and imported" in page.words
    assert not re.search(r"\b(None|nan)\b", page.words)
    words = Page((tmp_path / "index.html").read_text()).words
    assert "2 methods × 3 prompts: 4 of 5 cells that were run completed; sdi has renders of 2 of 3 prompts." in words
    provenance = words[words.index("Provenance code") :]
    assert provenance.startswith("Provenance codec0ffee devicea CPU seeds0 The")


@pytest.mark.usefixtures("blank_figures")
def test_cells_that_were_not_run_are_in_the_headline(make_frames, tmp_path):
    frames = make_frames(seeds=(0, 1), views=1)
    some = ~frames.cells["cell"].isin(["sdi-mug-1", "sdi-mug-0"])
    written(dataclasses.replace(frames, cells=frames.cells[some]), tmp_path)
    words = Page((tmp_path / "index.html").read_text()).words
    headline = "2 methods × 3 prompts × 2 seeds: 10 of 10 cells that were run completed, at least 2 were not run."
    assert headline in words
    assert "Every cell that was run completed." in words


@pytest.mark.usefixtures("blank_figures")
def test_a_study_of_which_one_cell_was_run_is_not_said_to_be_whole(make_frames, tmp_path):
    frames = make_frames(seeds=(0, 1), views=1)
    written(dataclasses.replace(frames, cells=frames.cells[:1]), tmp_path)
    words = Page((tmp_path / "index.html").read_text()).words
    assert "1 method × 1 prompt: 1 of 1 cells that were run completed." in words
    assert "Every cell that was run completed." in words
    assert "Every method completed the one prompt that was run." in words


@pytest.mark.usefixtures("blank_figures")
def test_an_error_leaves_the_earlier_report_and_a_new_one_nothing_of_it(make_frames, tmp_path):
    folder = tmp_path / "report"
    frames = make_frames(views=1)
    written(frames, folder)
    (folder / "mine.txt").write_text("stays")
    before = contents(folder)
    gone = dataclasses.replace(frames, views=frames.views.assign(rgb_path="/nowhere.png"))
    with pytest.raises(ReportError, match=r"/nowhere\.png"):
        written(gone, folder)
    assert contents(folder) == before
    assert {path.name for path in tmp_path.iterdir()} == {"report", ".report.lock"}  # the lock of the replacement
    written(make_frames(prompts={"mug": "a mug"}, views=1), folder)
    assert [path.name for path in (folder / "prompts").iterdir()] == ["mug.html"]
    assert (folder / "mine.txt").read_text() == "stays"


def test_bad_input_is_one_line_and_writes_nothing(make_frames, tmp_path):
    frames = make_frames(views=1)
    with pytest.raises(ReportError, match="baseline: 'vsd' is not a method of the study: sds, sdi"):
        written(frames, tmp_path / "report", baseline="vsd")
    assert not (tmp_path / "report").exists()
