import dataclasses

import pytest

from reports import Claim, ReportData
from reports.text.study_numbers import StudyNumbers

PROMPTS = {f"p{index}": f"prompt {index}" for index in range(8)}


@pytest.fixture(scope="session")
def numbers(make_frames):
    """Three arms on eight prompts.

    ``csd`` has about 2 more in CLIP than ``sds``, and one of its cells diverged; sharpness is a ratio, best at 30.
    """
    frames = make_frames(
        methods=("sds", "sdi", "csd"), prompts=PROMPTS, controls=True, statuses={("csd", "p7"): "nan"}, images=False
    )
    scores = frames.scores
    of_sds = scores[scores["method"] == "sds"].set_index(["prompt_id", "view", "metric"])["value"]
    mine = (scores["method"] == "csd") & (scores["metric"] == "clip_score")
    for row in scores[mine].itertuples():
        value = of_sds[row.prompt_id, row.view, row.metric] + 2 + int(row.prompt_id[1:]) / 10
        scores.loc[row.Index, "value"] = value
    columns = frames.metric_columns.set_index("metric")
    columns.loc["sharpness", ["direction", "target", "mean"]] = ["target", 30.0, "geometric"]
    frames = dataclasses.replace(frames, metric_columns=columns.reset_index())
    claims = [
        Claim("CSD", "higher", "csd", "sds", "clip_score"),
        Claim("SDI", "not lower", "sdi", "sds", "clip_score", expects="level"),
    ]
    return StudyNumbers(ReportData(frames, "Toy", "sds", claims=claims))
