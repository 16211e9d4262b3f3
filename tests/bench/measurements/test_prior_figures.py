from __future__ import annotations

import pandas as pd

from bench.measurements.prior_figures import Options, main
from methods.priors.loading import folder_of
from methods.weights import read_card
from reports.text.__main__ import RESULTS


def test_the_published_figures_are_those_of_the_cards(tmp_path, capsys) -> None:
    main(Options(out=tmp_path / "figures.csv"))
    published = RESULTS / "data" / "prior_figures.csv"
    assert published.read_text(encoding="utf-8") == (tmp_path / "figures.csv").read_text(encoding="utf-8")
    rows = pd.read_csv(published)
    held_out = rows[rows["what"] == "held_out"].set_index("prior")
    card = read_card(folder_of("toybox"))
    assert held_out.loc["toybox", "all"] == card["held_out"]["all"]
    assert held_out.loc["toybox", "training_images"] == card["steps"] * card["batch"]
    clipped = rows[(rows["prior"] == "toybox") & (rows["bound"] == "target") & (rows["scale"] == 4.0)]
    assert list(clipped["all"]) == [card["calibration"]["target, 4.0"]["all"]]
    assert str(card["held_out"]["all"]) in capsys.readouterr().out
