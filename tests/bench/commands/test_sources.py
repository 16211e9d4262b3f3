"""The sources that a name is fetched from."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.commands.sources import optional_roles, sources_of
from bench.errors import InputError
from methods.priors import PriorSource, priors
from methods.priors.pipeline.hub import HubFolder


def test_a_registered_prior_is_fetched_from_its_repository_or_what_its_variable_names(tmp_path, monkeypatch) -> None:
    priors.names()
    hub = HubFolder("mine", "some-one/mine", "MY_PRIOR")
    monkeypatch.setitem(priors._found, "mine", PriorSource("A prior of a package.", folder=hub.local_folder, hub=hub))
    monkeypatch.setenv("SDIBENCH_WEIGHTS", str(tmp_path))
    monkeypatch.delenv("MY_PRIOR", raising=False)
    [(source, folder)] = sources_of("mine")
    assert folder == tmp_path / "mine" / "prior" == hub.fetched
    assert (source.role, source.variable) == ("prior", "MY_PRIOR")
    assert source.origin().repository == "some-one/mine"
    monkeypatch.setenv("MY_PRIOR", "other/one@v2")
    assert source.origin()[:2] == ("other/one", "v2")


def test_a_repository_is_fetched_into_a_folder_of_its_own(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SDIBENCH_WEIGHTS", str(tmp_path))
    [(source, folder)] = sources_of("some-one/tiny@v1")
    assert folder == tmp_path / "some-one--tiny@v1" / "prior"
    assert source.origin()[:2] == ("some-one/tiny", "v1")
    assert source.variable == ""


def test_a_suite_by_file_is_fetched_from_its_repositories(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SDIBENCH_WEIGHTS", str(tmp_path))
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "my-own"\n[clip]\nrepository = "some-one/clip@v1"\n[pick]\nrepository = "some-one/pick"\n'
        'optional = true\n[iqa]\nfolder = "iqa"\n'
    )
    [(source, folder)] = sources_of(str(path))
    assert (source.role, folder, source.variable) == ("clip", tmp_path / "my-own" / "clip", "SDIBENCH_MY_OWN_CLIP")
    assert source.origin()[:2] == ("some-one/clip", "v1")
    assert optional_roles(str(path)) == ["pick"]
    [(source, folder)] = sources_of(str(path), ("pick",))
    assert (source.role, folder) == ("pick", tmp_path / "my-own" / "pick")
    with pytest.raises(InputError, match=r"unknown role 'iqa' in .*: known: clip, pick"):
        sources_of(str(path), ("iqa",))


def test_a_suite_of_local_folders_has_nothing_to_fetch(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[clip]\nfolder = "clip"\n')
    for name in (str(path), "toybox"):
        with pytest.raises(InputError, match="nothing of this suite is fetched, its models are local folders"):
            sources_of(name)


def test_the_roles_of_the_shipped_suites_have_a_source() -> None:
    roles = {name: [source.role for source, _ in sources_of(name)] for name in ("sd21", "clip_l14", "clip_bigg14")}
    assert roles == {"sd21": ["prior", "clip", "iqa", "bert", "reward"], "clip_l14": ["clip"], "clip_bigg14": ["clip"]}


def test_bert_is_fetched_before_the_reward_whatever_the_order_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[reward]\nrepository = "a/reward"\n[bert]\nrepository = "a/bert"\n')
    assert [source.role for source, _ in sources_of(str(path))] == ["bert", "reward"]
