"""Texts of a report about renders that were made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from bench.records.record import ImportedRecord

#: The rule by which imported renders are judged, for a note below the tables.
_JUDGED = (
    "Their Div. is judged by the images alone: a scene that ended empty or, where the files have an opacity, opaque. "
    "An optimisation that ended otherwise is not seen, so it is a lower bound, and not the Div. of measured arms."
)


def imported_notes(records: Sequence[ImportedRecord]) -> list[str]:
    """Say what imported arms are, for all tables; nothing without one."""
    if not records:
        return []
    arms = dict.fromkeys(record.cell.title for record in records)
    names = ", ".join(arms)
    notes = [f"{names}: images that were made elsewhere; cost, settings and seeds are not measured. {_JUDGED}"]
    apart = dict.fromkeys(record.cell.title for record in records if not record.cell.has_evaluation_cameras)
    if apart:
        notes.append(
            f"{', '.join(apart)}: from other cameras than the evaluation's, so elevation, distance and light can "
            "differ, and no score compares them with the truth from the same camera."
        )
    return notes


def imported_cards(records: Sequence[ImportedRecord]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return a card for each imported arm: what was read, and what is stated of it."""
    arms: dict[str, list[ImportedRecord]] = {}
    for record in records:
        arms.setdefault(record.cell.label, []).append(record)
    return [(f"Imported {label}", _facts(of_arm)) for label, of_arm in arms.items()]


def _facts(records: Sequence[ImportedRecord]) -> list[tuple[str, str]]:
    layout = {name: value for name, value in records[0].cell.layout.items() if name != "name"}
    settings = ", ".join(f"{name} = {value}" for name, value in layout.items())
    views = sorted({len(record.views) for record in records})
    stated: dict[str, dict[str, None]] = {}
    for record in records:
        for name, value in record.cell.known.items():
            stated.setdefault(name, {})[str(value)] = None
    return [
        ("layout", f"{records[0].cell.layout['name']}{f' ({settings})' if settings else ''}"),
        ("renders", f"{len(records)}, of {' or '.join(map(str, views))} views"),
        ("opacity", f"known of {sum(record.is_opacity_known for record in records)} of {len(records)}"),
        *((f"stated {name}", "; ".join(values)) for name, values in stated.items()),
    ]
