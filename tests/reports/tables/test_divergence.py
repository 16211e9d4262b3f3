from reports.runs import runs_table


def test_every_cell_is_counted_once(make_frames):
    frames = make_frames(statuses={("sds", "mug"): "timeout", ("sds", "red-car"): "frozen"})
    table = runs_table(frames, [])
    for row in table.rows:
        got = {column.key: entry.mean for column, entry in zip(table.columns, row.entries, strict=True)}
        statuses = frames.cells.loc[frames.cells["method"] == row.label, "status"].value_counts().to_dict()
        counted = [key for key, mean in got.items() if mean and not key.startswith(("cells", "unet", "total"))]
        assert got["cells"] == 3
        assert {key: got[key] for key in counted} == statuses
        assert got["unet_rows"] == 400
