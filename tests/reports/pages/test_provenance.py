from reports.pages.cell_rows import prompt_rows
from reports.pages.provenance import CellList


def numbers(runs):
    """Read ranges such as ``0-2 5`` as the page's script does."""
    for run in runs.split():
        first, _, last = run.partition("-")
        yield from range(int(first), int(last or first) + 1)


def test_cells_of_a_method_are_one_range(make_frames):
    frames = make_frames(methods=("sds", "sdi", "vsd"), views=1)
    cell_list = CellList(frames, prompt_rows(frames, {}), root="")
    column = cell_list.content["fields"].index("cell")
    for method in frames.methods:
        cells = frames.cells.loc[frames.cells["method"] == method, "cell"]
        runs = cell_list.places(cells)
        assert " " not in runs
        assert sorted(cell_list.content["rows"][place][column] for place in numbers(runs)) == sorted(
            cell[:12] for cell in cells
        )
    apart = frames.cells["cell"].iloc[[0, 1, 4]]
    assert [cell_list.content["rows"][place][column] for place in numbers(cell_list.places(apart))] != []
    assert len(list(numbers(cell_list.places(apart)))) == 3


def test_a_row_has_the_provenance_of_a_number_and_a_link_to_its_images(make_frames):
    frames = make_frames(methods=("sds",), prompts={"mug": "a mug"}, views=1, statuses={("sds", "mug"): "empty"})
    content = CellList(frames, prompt_rows(frames, {}), root="../").content
    row = dict(zip([*content["fields"], "link"], content["rows"][0], strict=True))
    assert row["prompt"] == "a mug"
    assert (row["method"], row["seed"], row["status"]) == ("sds", "0", "empty")
    assert (row["code"], row["prior"], row["device"]) == ("c0ffee", "ab" * 6, "a CPU")
    assert row["link"] == "../prompts/mug.html#sds-0"


def test_cells_that_are_not_on_the_page_are_left_out(make_frames):
    frames = make_frames(views=1)
    cell_list = CellList(frames, prompt_rows(frames, {})[:1], root="../")
    assert len(cell_list.content["rows"]) == 2
    assert len(list(numbers(cell_list.places(frames.cells["cell"])))) == 2
    assert not cell_list.places(["no such cell"])


def test_a_row_of_an_imported_cell_has_no_code_prior_or_device(make_frames, as_imported):
    frames = as_imported(make_frames(views=1, images=False), "sdi", ["mug"])
    content = CellList(frames, prompt_rows(frames, {}), root="").content
    row = dict(zip(content["fields"], content["rows"][-1], strict=False))
    assert (row["method"], row["code"], row["prior"], row["device"]) == ("sdi", "", "", "")
