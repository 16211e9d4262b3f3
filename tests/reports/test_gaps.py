import dataclasses

from reports.gaps import Gaps


def test_a_measured_arm_lacks_cells_and_an_imported_one_renders(make_frames, as_imported):
    frames = make_frames(methods=("sds", "sdi", "theirs", "theirs2"), seeds=(0, 1), views=1, images=False)
    frames = as_imported(as_imported(frames, "theirs", ["red-car"]), "theirs2", ["red-car", "mug"])
    frames = dataclasses.replace(frames, cells=frames.cells[frames.cells["cell"] != "sdi-mug-1"])
    gaps = Gaps.of(frames)
    assert gaps.not_run == (("sdi", "mug", 1),)
    assert gaps.without_renders == {"theirs": 2, "theirs2": 1}
    assert gaps.of_imported == "theirs has renders of 1 of 3 prompts and theirs2 of 2"


def test_the_number_of_a_render_is_no_seed_of_measured_arms(make_frames, as_imported):
    frames = as_imported(make_frames(methods=("sds", "theirs"), seeds=(0, 1), views=1, images=False), "theirs", ["mug"])
    cells = frames.cells[(frames.cells["method"] != "sds") | (frames.cells["seed"] == 0)]
    assert Gaps.of(dataclasses.replace(frames, cells=cells)).not_run == ()


def test_a_whole_study_has_no_gaps(make_frames):
    gaps = Gaps.of(make_frames(views=1, images=False))
    assert (gaps.not_run, gaps.without_renders, gaps.of_imported) == ((), {}, "")
