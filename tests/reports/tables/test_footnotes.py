import dataclasses

from reports.tables.columns import score_columns
from reports.tables.footnotes import metric_footnotes


def test_columns_of_one_card_share_a_footnote_and_columns_without_have_none(make_frames):
    frames = make_frames(views=1)
    columns = score_columns(frames)
    assert len(metric_footnotes(frames, columns)) == 1
    assert metric_footnotes(frames, [column for column in columns if column.key == "psnr"]) == ()


def test_fields_that_a_card_lacks_are_left_out(make_frames):
    frames = make_frames(views=1)
    cards = frames.metric_columns.assign(card='{"title": "PSNR", "weights_sha256": "", "preprocessing": "none"}')
    frames = dataclasses.replace(frames, metric_columns=cards)
    columns = [column for column in score_columns(frames) if column.key in ("psnr", "extra_faces")]
    (footnote,) = metric_footnotes(frames, columns)
    assert footnote.keys == ("psnr", "extra_faces")
    assert footnote == "PSNR, Extra faces (dB, higher is better; %, lower is better): none."
