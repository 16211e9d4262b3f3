from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import InputError
from bench.study.expand import expand
from bench.study.study import Study, load_study, parse_study, study_names
from reports.published import load_published


@pytest.mark.parametrize("name", study_names())
def test_every_shipped_study_can_be_read(name: str) -> None:
    study = load_study(name)
    assert study.name == name
    assert study.baseline in study.methods
    assert all(load_published(table).rows for table in study.published)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("steps = 4", "steps = -4", "steps = -4: input should be greater than or equal to 1"),
        ("steps = 4", "steps = 4.5", "steps = 4.5: input should be a valid integer"),
        ("steps = 4", 'steps = "4"', "steps = '4': input should be a valid integer"),
        ("steps = 4", "steps = true", "steps = True: input should be a valid integer"),
        ("steps = 4", "stesp = 4", "unknown key 'stesp': did you mean steps, seeds?"),
        ("steps = 4", "", "the key 'steps' is missing"),
        ("views = 3", "veiws = 3", "unknown key 'evaluation.veiws': did you mean views?"),
        ("views = 3", "views = 0", "evaluation.views = 0: input should be greater than or equal to 1"),
        ("threads = 1", "threads = 1\nseeds = []", "seeds = []: must have at least 1 value"),
        ("threads = 1", "threads = 1\nseeds = [1, 1]", "seeds = [1, 1]: the values must differ"),
        ("threads = 1", 'guidance = "none"', "guidance = 'none': input should be 'calibrated' or 'published'"),
        ("threads = 1", "time_limit_seconds = nan", "time_limit_seconds = nan: input should be a finite number"),
        ('baseline = "sds"', 'baseline = "vsd"', "baseline = 'vsd': not a method of the study, which has sds, sdi"),
        (
            "[methods.sdi]",
            '[methods."a--b"]',
            "methods: the label 'a--b' must be letters and digits, joined by single - . or _, such as 'a-b'",
        ),
        ('name = "nerf"', "", "scene: has no key name"),
        ("threads = 1", "cameras.distance = [3.0, 2.0]", "cameras.distance: [3.0, 2.0] is not a range with the lower"),
        ("threads = 1", "cameras.distence = [3.0, 3.2]", "unknown key 'cameras.distence': did you mean distance?"),
        ("threads = 1", "cameras.distance = [3.0]", "cameras.distance = [3.0]: must have at least 2 values"),
        ("threads = 1", "cameras.up_jitter = true", "cameras.up_jitter = True: input should be a valid number"),
        ("[render]", "[render", "is not valid TOML"),
    ],
)
def test_a_malformed_file_gives_one_line(study_file: Path, old: str, new: str, message: str) -> None:
    text = study_file.read_text()
    assert text.count(old) == 1
    study_file.write_text(text.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_study(study_file)
    assert str(caught.value).startswith(str(study_file))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


ABLATIONS = [name for name in study_names() if name.startswith("ablation")]


@pytest.mark.parametrize(
    "name", [name for name in ABLATIONS if not name.endswith("_sd21")]
)  # which have the same figures
def test_every_ablation_has_a_figure_whose_axis_its_arms_vary(name: str) -> None:
    study = load_study(name)
    assert study.figures
    for figure in (figure for figure in study.figures if figure.kind == "sweep"):
        found = set()
        for cell in expand(study):
            settings = cell.model_dump(mode="json")
            for key in figure.x.split("."):
                settings = settings.get(key, {})
            found |= {settings} if isinstance(settings, int | float) else set()
        assert len(found) >= 3, figure.x


def test_unknown_study_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown study 'quik': did you mean quick"):
        load_study("quik")
    with pytest.raises(InputError, match=r"there is no such file$"):
        load_study(tmp_path / "none.toml")


def test_narrowed_study_has_a_name_of_its_own(study: Study) -> None:
    narrowed = study.narrow(methods=["sdi"], prompt_ids=["blue-duck"], seeds=[3], steps=2)
    assert (list(narrowed.methods), narrowed.prompt_ids, narrowed.seeds, narrowed.steps) == (
        ["sdi"], ("blue-duck",), (3,), 2,
    )  # fmt: skip
    assert narrowed.baseline == "sdi"
    assert narrowed.name == f"tiny-{narrowed.key[:6]}"
    assert narrowed.key != study.key


def test_narrowing_to_the_same_cells_is_the_same_study(study: Study) -> None:
    assert study.narrow() is study
    assert study.narrow(methods=["sds", "sdi"], steps=4) is study


def test_narrowing_refuses_what_is_wrong(study: Study) -> None:
    with pytest.raises(InputError, match="unknown method 'sd' in the study tiny: did you mean sds, sdi"):
        study.narrow(methods=["sd"])
    with pytest.raises(InputError, match="the study tiny: steps = -1: input should be greater"):
        study.narrow(steps=-1)


def test_key_is_of_what_makes_cells(study: Study) -> None:
    fields = study.model_dump(mode="json")
    same = fields | {"title": "Other", "threads": 7, "metrics": ["clip_score"], "time_limit_seconds": 3.0}
    assert parse_study(same, where="").key == study.key
    assert parse_study(fields | {"views_per_step": 2}, where="").key != study.key


def test_a_study_that_extends_another_holds_only_differences(study_file: Path) -> None:
    study_file.with_name("more.toml").write_text(
        f'title = "More"\nextends = "{study_file}"\nsteps = 9\n[render]\nresolution = 16\n[methods.sds]\n'
    )
    base, more = load_study(study_file), load_study(study_file.with_name("more.toml"))
    assert (more.name, more.title, more.steps, more.render.resolution) == ("more", "More", 9, 16)
    assert more.render.background == base.render.background
    assert more.scene == base.scene
    assert (list(base.methods), list(more.methods)) == (["sds", "sdi"], ["sds"])


def test_studies_that_extend_each_other_or_nothing_are_refused(study_file: Path) -> None:
    study_file.write_text(f'extends = "{study_file}"\n' + study_file.read_text())
    with pytest.raises(InputError, match="must be the name of a study that does not extend this one"):
        load_study(study_file)
    study_file.write_text('extends = "quikc"\n')
    with pytest.raises(InputError, match="unknown study 'quikc': did you mean quick"):
        load_study(study_file)


def test_a_study_that_names_a_prompt_set_has_all_of_it(study_file: Path) -> None:
    more = study_file.with_name("more.toml")
    more.write_text(f'title = "More"\nextends = "{study_file}"\nprompts = "sdi43"\n')
    assert load_study(more).prompt_ids is None
    more.write_text(f'title = "More"\nextends = "{study_file}"\nprompts = "sdi43"\nprompt_ids = ["ceramic-lion"]\n')
    assert load_study(more).prompt_ids == ("ceramic-lion",)


def test_a_study_can_be_a_base_and_a_design(study_file: Path) -> None:
    """The extended studies are merged in order, then the file's own keys; a design alone is not a study."""
    base, design, whole = study_file, *(study_file.with_name(f"{name}.toml") for name in ("design", "whole"))
    design.write_text('baseline = "sdi"\nsteps = 7\n[render]\nresolution = 16\n[methods.sdi]\n')
    whole.write_text(f'title = "Whole"\nextends = ["{base}", "{design}"]\nseeds = [3]\nevaluation.views = 5\n')
    found = load_study(whole)
    assert (found.title, found.seeds, found.steps, found.baseline) == ("Whole", (3,), 7, "sdi")
    assert (found.render.resolution, list(found.methods), found.evaluation.views) == (16, ["sdi"], 5)
    assert found.evaluation.resolution == load_study(base).evaluation.resolution
    whole.write_text(f'title = "Whole"\nextends = ["{design}", "{base}"]\n')
    assert (load_study(whole).steps, load_study(whole).baseline) == (4, "sds")


def test_comparisons_of_other_studies_are_dropped_if_the_whole_lacks_their_arms(study_file: Path) -> None:
    """Whether the arms are the file's own or another study's, such as with the papers' claims of designs/claims."""
    claims, whole = study_file.with_name("claims.toml"), study_file.with_name("whole.toml")
    claim = '{{ paper = "P", text = "t", arm = "{}", against = "sds", metric = "psnr" }}'
    claims.write_text(
        f"paper_claims = [{claim.format('sdi')}, {claim.format('vsd')}]\nmore_baselines = {{ sdi = ['vsd'] }}\n"
    )
    whole.write_text(f'title = "Whole"\nextends = ["{study_file}", "{claims}"]\n')
    found = load_study(whole)
    assert ([claim.arm for claim in found.paper_claims], found.more_baselines) == (["sdi"], {})
    whole.write_text(
        f'{whole.read_text()}more_baselines = {{ vsd = ["sdi"] }}\n[methods]\nsds = {{}}\nvsd = {{}}\nsdi = {{}}\n'
    )
    found = load_study(whole)
    assert [claim.arm for claim in found.paper_claims] == ["sdi", "vsd"]
    whole.write_text(f'title = "Whole"\nextends = "{study_file}"\npaper_claims = [{claim.format("vsd")}]\n')
    with pytest.raises(InputError, match=r"paper_claims.0.arm = 'vsd': not a method of the study, which has sds, sdi"):
        load_study(whole)


def test_own_comparisons_join_those_of_another_study_that_are_left(study_file: Path) -> None:
    below, above = study_file.with_name("below.toml"), study_file.with_name("above.toml")
    arms = 'baseline = "sds"\n[methods]\nsds = {}\n'
    below.write_text(f'extends = "{study_file}"\nmore_baselines = {{ sdi = ["ism"] }}\n{arms}sdi = {{}}\nism = {{}}\n')
    above.write_text(f'extends = "{below}"\nmore_baselines = {{ vsd = ["esd"] }}\n{arms}vsd = {{}}\nesd = {{}}\n')
    assert load_study(above).more_baselines == {"vsd": ("esd",)}


@pytest.mark.parametrize("extends", ["3", "[3]", '["{whole}"]', '["quick", "{whole}"]', "{{}}"])
def test_wrong_names_of_extended_studies_are_refused(tmp_path: Path, extends: str) -> None:
    whole = tmp_path / "whole.toml"
    whole.write_text(f"extends = {extends.format(whole=whole)}\n")
    right = "must be the name of a study that does not extend this one" if "whole" in extends else "must be the name of"
    with pytest.raises(InputError, match=rf"extends = .*: {right}") as caught:
        load_study(whole)
    assert ("or a list of names" in str(caught.value)) is ("whole" not in extends)


def test_a_byte_order_mark_is_accepted(study_file: Path) -> None:
    plain = load_study(study_file)
    study_file.write_bytes(b"\xef\xbb\xbf" + study_file.read_bytes())
    assert load_study(study_file) == plain
    below = study_file.with_name("below.toml")
    below.write_text(f'extends = "{study_file}"\n')
    assert load_study(below).key == plain.key


@pytest.mark.parametrize(
    ("stem", "suggestion"),
    [("my study", "my-study"), ("Über uns (2)", "ber-uns-2"), ("研究", "my-name"), ("a--b", "a-b")],
)
def test_a_file_name_that_is_no_study_s_name_gets_a_better_one(study_file: Path, stem: str, suggestion: str) -> None:
    path = study_file.rename(study_file.with_name(f"{stem}.toml"))
    with pytest.raises(InputError) as caught:
        load_study(path)
    assert str(caught.value) == (
        f"{path}: name = {stem!r}: must be letters and digits, joined by single - . or _, such as {suggestion!r}; "
        "rename the file"
    )


def test_a_name_of_a_figure_that_is_wrong_is_explained(study_file: Path) -> None:
    study_file.write_text(study_file.read_text() + '[[figures]]\nname = "My Figure"\nkind = "arms"\ntitle = "t"\n')
    with pytest.raises(
        InputError, match=r"figures.0.name = 'My Figure': must be small letters .* such as 'my-figure'$"
    ):
        load_study(study_file)


def test_two_figures_of_one_name_are_refused(study_file: Path) -> None:
    figure = '[[figures]]\nname = "arms"\nkind = "arms"\ntitle = "t"\nmetrics = ["psnr"]\n'
    study_file.write_text(study_file.read_text() + 2 * figure)
    with pytest.raises(
        InputError, match=r"figures.1.name = 'arms': is the name of another figure; each needs its own$"
    ):
        load_study(study_file)


def test_the_name_is_no_key_of_a_file(study_file: Path) -> None:
    """Neither of a study nor of one that it extends, whose name it would take over."""
    below = study_file.read_text()
    study_file.write_text(f'name = "hello"\n{below}')
    with pytest.raises(InputError, match=r"tiny.toml: unknown key 'name': a study has the name of its file$"):
        load_study(study_file)
    above = study_file.with_name("above.toml")
    above.write_text(f'extends = "{study_file}"\n')
    with pytest.raises(InputError, match=r"tiny.toml: unknown key 'name': a study has the name of its file$"):
        load_study(above)


def test_an_unknown_key_of_a_figure_is_named(study_file: Path) -> None:
    study_file.write_text(study_file.read_text() + '[[figures]]\nname = "arms"\nkind = "arms"\ntitel = "t"\n')
    with pytest.raises(InputError, match=r"unknown key 'figures.0.titel': did you mean title\?"):
        load_study(study_file)


def test_a_study_is_found_at_home_and_by_an_upper_case_ending(
    study_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_study("~/tiny.toml").name == "tiny"
    study_file.rename(tmp_path / "tiny.TOML")
    assert load_study("~/tiny.TOML").name == "tiny"
    with pytest.raises(InputError, match=r"~nobody-here/a.toml: there is no such file$"):
        load_study("~nobody-here/a.toml")


def test_what_is_there_in_place_of_a_study_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is a folder without a study.json, so it is not a run folder; name a study"):
        load_study(tmp_path)
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(
        InputError, match=r"study.json': is a file that is not TOML; name a study, a study's TOML file or"
    ):
        load_study(tmp_path / "study.json")


LEAST = 'title = "T"\nmetrics = ["clip_score"]\nbaseline = "sds"\nprompts = "toybox"\nsteps = 1\n{}\n[methods.sds]\n'


@pytest.mark.parametrize(
    ("key", "name", "setting", "value"), [("scene", "nerf", "radius", 1.5), ("prior", "toybox", "resolution", 32)]
)
def test_a_part_may_be_its_name_alone_also_below_a_table_of_its_settings(
    tmp_path: Path, key: str, name: str, setting: str, value: float
) -> None:
    below, above = tmp_path / "below.toml", tmp_path / "above.toml"
    below.write_text(LEAST.format(f'{key} = "{name}"'))
    assert load_study(below).model_dump()[key]["name"] == name
    above.write_text(f'extends = "{below}"\n[{key}]\n{setting} = {value}\n')
    found = load_study(above).model_dump()[key]
    assert (found["name"], found[setting]) == (name, value)
    above.write_text(f'extends = "{below}"\n{key} = "other"\n')
    assert load_study(above).model_dump()[key]["name"] == "other"


def test_a_scene_that_is_neither_name_nor_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(LEAST.format("scene = 3"))
    with pytest.raises(InputError, match=r"scene = 3: must be a name, or a table with the key name$"):
        load_study(tmp_path / "study.toml")


def test_a_minimal_study_is_told_every_key_that_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "minimal.toml"
    path.write_text('prompts = "toybox"\nsteps = 2\nmetrics = ["psnr"]\n[methods.sds]\n')
    with pytest.raises(InputError, match=r"minimal\.toml: the keys 'title' and 'baseline' are missing$"):
        load_study(path)
