"""Values that a metric did not give for views that it scored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from bench.records.record import AnyRecord, ImportedRecord
from metrics.card import MetricCard

#: The words by which a card says that some views have none; then they are no surprise.
_SAID = "no value"


def describe_missing(
    cards: Sequence[MetricCard], records: Sequence[AnyRecord], scores: Sequence[Mapping[str, Sequence[float]]]
) -> Iterator[str]:
    """Yield a line for each column that has no value for some views, where the metric's card says nothing of it.

    Such a view is left out of all means.  Renders without opacity are not looked at: what is measured on that has no
    value for them.

    Args:
        cards: The metrics' cards.
        records: The cells that were scored.
        scores: Values by column, one for each view, of each cell; NaN where there is none.
    """
    known = [
        (record, of_record)
        for record, of_record in zip(records, scores, strict=True)
        if not isinstance(record, ImportedRecord) or record.is_opacity_known
    ]
    for card in cards:
        if _SAID in card.description.lower():
            continue
        for column in card.column_names:
            counts = {
                record.cell.folder_name: sum(not math.isfinite(value) for value in of_record[column])
                for record, of_record in known
                if column in of_record
            }
            if missing := sum(counts.values()):
                views = sum(len(of_record.get(column, ())) for _, of_record in known)
                first = next(name for name, count in counts.items() if count)
                yield (
                    f"metric {card.name}: no value (NaN or infinite) of {column} for {missing} of {views} views, first "
                    f"in {first}; its card does not say that a view may have {_SAID}"
                )
