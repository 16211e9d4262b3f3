from reports.pages.exhibits import prompt_exhibits
from reports.pages.ledger import Ledger


def numbers(runs):
    """The places that runs such as ``0-2 5`` stand for, read as the page's script does."""
    for run in runs.split():
        first, _, last = run.partition("-")
        yield from range(int(first), int(last or first) + 1)


def test_cells_of_a_method_are_one_run_and_are_found_again(make_frames):
    frames = make_frames(methods=("sds", "sdi", "vsd"), views=1)
    ledger = Ledger(frames, prompt_exhibits(frames, {}), root="")
    column = ledger.content["fields"].index("cell")
    for method in frames.methods:
        cells = frames.cells.loc[frames.cells["method"] == method, "cell"]
        runs = ledger.places(cells)
        assert " " not in runs
        assert sorted(ledger.content["rows"][place][column] for place in numbers(runs)) == sorted(
            cell[:12] for cell in cells
        )
    apart = frames.cells["cell"].iloc[[0, 1, 4]]
    assert [ledger.content["rows"][place][column] for place in numbers(ledger.places(apart))] != []
    assert len(list(numbers(ledger.places(apart)))) == 3


def test_a_row_tells_where_a_number_comes_from_and_leads_to_its_pictures(make_frames):
    frames = make_frames(methods=("sds",), prompts={"mug": "a mug"}, views=1, statuses={("sds", "mug"): "empty"})
    content = Ledger(frames, prompt_exhibits(frames, {}), root="../").content
    row = dict(zip([*content["fields"], "link"], content["rows"][0], strict=True))
    assert row["prompt"] == "a mug"
    assert (row["method"], row["seed"], row["status"]) == ("sds", "0", "empty")
    assert (row["code"], row["prior"], row["device"]) == ("c0ffee", "ab" * 6, "a CPU")
    assert row["link"] == "../prompts/mug.html#sds-0"


def test_cells_that_are_not_on_the_page_are_left_out(make_frames):
    frames = make_frames(views=1)
    ledger = Ledger(frames, prompt_exhibits(frames, {})[:1], root="../")
    assert len(ledger.content["rows"]) == 2
    assert len(list(numbers(ledger.places(frames.cells["cell"])))) == 2
    assert not ledger.places(["no such cell"])
