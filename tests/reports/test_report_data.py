"""A report has the files of its data, and its page links to them."""

import re

from reports import ReportData, write_report


def test_a_report_has_the_files_and_links_to_the_scores_of_the_cells(make_frames, tmp_path):
    data = ReportData(make_frames(controls=True), "Toy", "sds")
    page = write_report(data, tmp_path).page.read_text(encoding="utf-8")
    assert {"data/cells.csv", "data/controls.csv"} <= set(re.findall(r'href="([^"]*)"', page))
    files = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "data").iterdir()}
    assert files == data.files()
    assert "  data/cells.csv\n" in (tmp_path / "sha256sums.txt").read_text(encoding="utf-8")
