"""Paths in a study file are relative to the file that has them, wherever the command is given."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.errors import InputError
from bench.study.expand import expand
from bench.study.scorers import check_metrics
from bench.study.study import load_study
from methods.priors import priors
from metrics.suites import find_suite

WEIGHTS = priors["toybox"].folder()
TOYBOX_CLIP = find_suite("toybox").folder("clip")


@pytest.fixture
def project(study_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a study in it and its list, base and prior around it; the current folder is another one."""
    project = tmp_path / "project"
    (project / "studies").mkdir(parents=True)
    (project / "lists").mkdir()
    (project / "lists" / "mine.txt").write_text("a blue duck\na red car\n")
    (project / "lists" / "base.toml").write_text(
        study_file.read_text()
        .replace('prompts = "toybox"', 'prompts = "mine.txt"')
        .replace('["blue-duck", "red-striped-car"]', '["a-blue-duck"]')
    )
    (project / "studies" / "mini.toml").write_text('title = "Mini"\nextends = "../lists/base.toml"\n')
    shutil.copytree(WEIGHTS, project / "weights")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return project


def test_a_list_and_a_base_are_found_from_any_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = load_study(project / "studies" / "mini.toml")
    assert study.prompts == str(project / "lists" / "mine.txt"), "relative to the base, which names it"
    assert [prompt.text for prompt in study.chosen_prompts()] == ["a blue duck"]
    for folder, name in ((project, "studies/mini.toml"), (project / "studies", "mini.toml"), (Path("/"), None)):
        monkeypatch.chdir(folder)
        assert load_study(name or project / "studies" / "mini.toml") == study


@pytest.mark.parametrize("name", ["../weights", "../weights/", "../studies/../weights", "{project}/weights"])
@pytest.mark.parametrize("form", ['"{name}"', '{{ name = "{name}", posterior = "mode" }}'])
def test_a_prior_s_folder_is_relative_too(project: Path, name: str, form: str) -> None:
    path = project / "studies" / "mini.toml"
    path.write_text(path.read_text() + f"prior = {form.format(name=name.format(project=project))}\n")
    study = load_study(path)
    assert Path(study.prior.name).resolve() == project / "weights"
    assert Path(study.prior.name).is_absolute()
    assert expand(study)[0].prior_sha256 == expand(load_study("quick"))[0].prior_sha256


def test_a_bare_name_is_a_folder_next_to_the_study_unless_it_is_registered(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project / "studies" / "mini.toml"
    text = path.read_text()
    for name in ("sdA", "toybox"):
        shutil.copytree(WEIGHTS, path.parent / name)
    path.write_text(text + 'prior = "sdA"\n')
    assert load_study(path).prior.name == str(path.parent / "sdA")
    path.write_text(text + 'prior = "toybox"\n')
    for folder in (Path.cwd(), path.parent):
        monkeypatch.chdir(folder)
        assert load_study(path).prior.name == "toybox"
    path.write_text(text + 'prior = "owner/name"\n')
    assert load_study(path).prior.name == "owner/name", "a repository of the hub"


def test_a_folder_behind_a_link_is_the_one_that_the_system_finds(
    project: Path, study_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(project / "studies")
    assert load_study(tmp_path / "link" / "mini.toml").chosen_prompts()[0].text == "a blue duck"
    (tmp_path / "link" / "own.toml").write_text(
        study_file.read_text().replace('"toybox"\nprompt_ids', '"../lists/mine.txt"\n#')
    )
    assert load_study(tmp_path / "link" / "own.toml").prompts == str(project / "lists" / "mine.txt")


@pytest.mark.parametrize(
    ("key", "name"), [("prompts", "mine.txt"), ("prompts", "./mine.txt"), ("prior", "weights"), ("prior", "./weights")]
)
def test_what_lies_in_the_current_folder_only_is_not_taken(
    project: Path, monkeypatch: pytest.MonkeyPatch, key: str, name: str
) -> None:
    path = project / "studies" / "mini.toml"
    path.write_text(path.read_text() + f'{key} = "{name}"\n')
    folder = {"prompts": project / "lists", "prior": project}[key]
    monkeypatch.chdir(folder)
    with pytest.raises(InputError) as caught:
        load_study(path)
    assert str(caught.value).startswith(
        f"{path}: {key} = {name!r}: a path in a study is relative to the study's folder"
    )
    right = str(caught.value).rpartition("write ")[2].strip("'")
    assert (path.parent / right).resolve() == folder / name


def test_files_that_extend_each_other_under_other_names_are_refused(project: Path) -> None:
    base = project / "lists" / "base.toml"
    base.write_text(f'extends = "../studies/../studies/mini.toml"\n{base.read_text()}')
    with pytest.raises(InputError, match="must be the name of a study that does not extend this one"):
        load_study(project / "studies" / "mini.toml")


@pytest.mark.parametrize("name", ["../lists/own.toml", "{project}/lists/own.toml"])
def test_a_suite_s_file_is_relative_too(project: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "lists" / "own.toml").write_text(f'[clip]\nfolder = "{TOYBOX_CLIP}"\n')
    path = project / "studies" / "mini.toml"
    path.write_text(path.read_text() + f'scorers = "{name.format(project=project)}"\nmetrics = ["clip_score"]\n')
    study = load_study(path)
    assert study.scorers == str(project / "lists" / "own.toml")
    assert study.key == load_study(path.with_name("mini.toml")).key
    check_metrics(study)
    monkeypatch.chdir(project)
    path.write_text(path.read_text().replace(name.format(project=project), "lists/own.toml"))
    with pytest.raises(InputError, match=r"scorers = 'lists/own.toml': a path in a study is .* '../lists/own.toml'$"):
        load_study(path)
