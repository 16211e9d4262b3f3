"""The sources that a name is fetched from."""

from __future__ import annotations

from pathlib import Path

from bench.commands.sources import sources_of
from methods.priors import PriorSource, priors
from methods.priors.pipeline.stable_diffusion import HubFolder


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
