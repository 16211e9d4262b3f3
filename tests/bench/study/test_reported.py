from __future__ import annotations

from typing import Any

import pytest

from bench.errors import InputError
from bench.study.pinning import pin
from bench.study.reported import check_report, unscored_columns
from bench.study.study import Study, load_study, parse_study, study_names
from reports.figures.standard import STANDARD

FIGURE = {"name": "mine", "kind": "arms", "title": "T", "metrics": ["psnr"]}
CLAIM = {"paper": "P", "text": "t", "arm": "sdi", "against": "sds", "metric": "psnr"}


def _with(study: Study, **fields: Any) -> Study:
    return parse_study(study.model_dump(mode="json") | fields, where="here")


@pytest.mark.parametrize("name", study_names())
def test_every_shipped_study_can_be_reported(name: str) -> None:
    check_report(load_study(name))


@pytest.mark.parametrize("metric", ["psnr", "clip_score", "optimise_seconds", "energy_joules"])
def test_a_figure_may_name_scores_that_the_study_has_not_and_costs(study: Study, metric: str) -> None:
    check_report(_with(study, figures=[FIGURE | {"metrics": [metric]}]))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"figures": [FIGURE | {"metrics": ["pnsr"]}]}, "figures.0.metrics: unknown column 'pnsr': did you mean psnr"),
        ({"figures": [FIGURE | {"metrics": ["power_1"]}]}, "figures.0.metrics: unknown column 'power_1': known: "),
        (
            {"figures": [FIGURE, FIGURE | {"name": "other", "metrics": ["psnr", "r_precision"]}]},
            "figures.1.metrics: 'r_precision' is a metric, not a column; its columns are clip_top1$",
        ),
        (
            {"figures": [FIGURE | {"kind": "sweep", "x": "render.resolutoin"}]},
            "figures.0.x = 'render.resolutoin': unknown key 'resolutoin': did you mean resolution",
        ),
        ({"figures": [FIGURE | {"metrics": ["pyiqa:x"]}]}, "figures.0.metrics: .*pyiqa"),
        (
            {"paper_claims": [CLAIM | {"metric": "clip_scor"}]},
            "paper_claims.0.metric: unknown column 'clip_scor': did you mean clip_score",
        ),
        ({"paper_claims": [CLAIM | {"metric": "unet_rows"}]}, "paper_claims.0.metric: unknown column 'unet_rows'"),
        ({"published": ["tabel1"]}, "published = 'tabel1': no such table; did you mean 'table1'?"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(study: Study, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^tiny: {message}"):
        check_report(_with(study, **fields))


@pytest.mark.parametrize("name", [spec.name for spec in STANDARD])
def test_a_figure_with_the_name_of_a_standard_one_is_refused(study: Study, name: str) -> None:
    with pytest.raises(
        InputError, match=rf"^tiny: figures.0.name = '{name}': is the name of a figure that every report"
    ):
        check_report(_with(study, figures=[FIGURE | {"name": name}]))


def test_columns_of_other_metrics_are_left_out(study: Study) -> None:
    found = unscored_columns(_with(study, figures=[FIGURE | {"metrics": ["pyiqa:brisque"]}]))
    assert {"clip_score", "pyiqa:brisque"} <= found
    assert "psnr" not in found


def test_a_curve_of_snapshots_needs_snapshots(study: Study) -> None:
    asked = _with(study, figures=[FIGURE | {"kind": "time_to_quality"}])
    with pytest.raises(
        InputError, match=r"^tiny: figures.0.kind = 'time_to_quality': needs snapshots on the way, such"
    ):
        check_report(asked)
    check_report(_with(asked, evaluation=asked.evaluation.model_dump() | {"snapshots": [0.5]}))
    check_report(pin(asked))  # a run that was started so may go on
