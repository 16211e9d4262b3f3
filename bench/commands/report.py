"""The stage ``report``: tables, figures and pages of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.cells.finished_scene import NoSceneHereError
from bench.commands.documented import plain
from bench.commands.imported_texts import imported_cards, imported_notes
from bench.commands.list import describe
from bench.commands.prompt_reading import describe_cuts
from bench.errors import InputError
from bench.exports.mesh import NoMeshError, export_mesh
from bench.exports.mesh_files import is_whole_glb
from bench.records.record import AnyRecord, ImportedRecord, Record
from bench.records.store import RunStore, refuse_links
from bench.records.study_cells import study_cells
from bench.scores.frames import build_frames, table_frames
from bench.scores.tables import read_card
from bench.study.cell import SCENE_FILE
from bench.study.imported_arms import imported_arms
from bench.study.imported_cell import imported_title
from bench.study.reported import unscored_columns
from bench.study.scorers import study_suite
from bench.study.study import Study
from bench.watch.divergence import Status
from methods.card import card_of
from methods.distillation import methods
from metrics import MetricCard
from reports import (
    Claim,
    FigureSpec,
    ReportData,
    ReportFiles,
    ReportFrames,
    Reproduction,
    is_data,
    read_data,
    write_report,
)
from reports.costs import COSTS, study_costs
from reports.frames import listed
from reports.table import Table

#: Points along an edge of the grid of a mesh: fewer for many cells, which limits the size of their report.
FINE_POINTS, COARSE_POINTS = 80, 32
FEW_CELLS = 64

#: What each setting ``bound`` does, in words for the tables' notes.
_CLIPPED = {
    "none": "no prediction is clipped to the prior's range of images",
    "target": "the clean images of updates and samples are clipped to the prior's range, those of inversions are not",
    "all": "all predictions are clipped to the prior's range of images, also within inversions",
}


def report_study(study: Study, store: RunStore) -> ReportFiles:
    """Write the report of a run into its folder ``report``.

    Raises:
        InputError: If the run has no records, is not scored yet or with another suite of scorers, or a record is
            corrupt.
    """
    scored = _Scored(study, store, lambda records: build_frames(records, study.chosen_prompts(), store))
    refuse_links(store.folder / "report", ("**/*",))
    meshes = cell_meshes(scored.records, store)
    scored.frames.cells["mesh_path"] = scored.frames.cells["cell"].map(meshes)
    cards = [(f"Metric {card.name}: {card.title}", card.facts) for card in scored.cards]
    return write_report(
        scored.data,
        store.folder / "report",
        figures=_figures(study, scored.frames),
        provenance=_provenance(study, scored.records),
        cards=[*_method_cards(scored.records), *cards],
    )


def printed_tables(folder: Path) -> list[Table]:
    """The tables of a scored run, or of the folder ``data`` of a report; writes nothing.

    Raises:
        InputError: As ``report_study``, or if the folder is neither.
        ReportError: If the files of ``data`` cannot be read.
    """
    if is_data(folder):
        return read_data(folder).tables()
    store = RunStore(folder)
    return _Scored(store.read_study(), store, lambda records: table_frames(records, store)).data.tables()


class _Scored:
    """A scored run, and what its tables are made of."""

    def __init__(self, study: Study, store: RunStore, build: Callable[[Sequence[AnyRecord]], ReportFrames]) -> None:
        cells, unknown_part = study_cells(study, store)
        self.records = store.read_all(cells)
        if not self.records:
            raise InputError(f"{store.folder}: has no records of {study.name} yet; run it first")
        self.frames = build(self.records)
        self.cards = _scored_cards(self.frames, store)
        suite = study_suite(study).name
        if others := sorted({card.suite for card in self.cards} - {suite, ""}):
            raise InputError(
                f"{store.folder}: scorers = {suite!r}, but it is scored with {listed(others, 'and')}; give --scorers "
                f"{others[0]}, or score it with {suite} first"
            )
        unknown = [f"{unknown_part}: read from the records, so that cells without one are not counted."]
        self.data = ReportData(
            self.frames,
            title=study.title,
            baseline=_title(study, study.baseline),
            own_baselines={
                _title(study, arm): _title(study, other) for other, arms in study.more_baselines.items() for arm in arms
            },
            notes=[
                *_notes(study, self.records, len(cells) - len(self.records), self.frames, self.cards),
                *(unknown if unknown_part else ()),
            ],
            claims=_claims(study),
            reproduction=Reproduction(study.published, study.prior.name, suite),
        )


def cell_meshes(records: Sequence[AnyRecord], store: RunStore) -> dict[str, str]:
    """Return the paths of the meshes of cells that have a surface, by cell; missing ones are made."""
    points = FINE_POINTS if len(records) <= FEW_CELLS else COARSE_POINTS
    found = {}
    for record in records:
        if SCENE_FILE not in record.file_bytes:
            continue
        path = store.folder / "meshes" / f"{record.cell.folder_name}--{points}.glb"
        if not is_whole_glb(path):
            path.parent.mkdir(exist_ok=True)
            try:
                export_mesh(store.cell_folder(record.cell), path, resolution=points)
            except (NoMeshError, NoSceneHereError):
                continue
        found[record.identity] = str(path)
    return found


def _figures(study: Study, frames: ReportFrames) -> list[FigureSpec]:
    """Return the study's figures without panels of metrics that it is not scored with, or of costs that no cell knows.

    A name that no metric has is kept, so that the report refuses it.
    """
    known = {cost.source for cost in study_costs(frames)}
    absent = unscored_columns(study) | {cost.source for cost in COSTS if cost.source not in known}
    return [
        FigureSpec(**figure.model_dump() | {"metrics": tuple(name for name in figure.metrics if name not in absent)})
        for figure in study.figures
    ]


def _claims(study: Study) -> list[Claim]:
    """Return the papers' claims about scores that the study has, with the labels that the report's arms have.

    A name that no metric has is kept, so that the report refuses it.
    """
    absent = unscored_columns(study)
    return [
        Claim(**claim.model_dump() | {"arm": _title(study, claim.arm), "against": _title(study, claim.against)})
        for claim in study.paper_claims
        if claim.metric not in absent
    ]


def _title(study: Study, label: str) -> str:
    """The label of an arm in tables, which mark an imported one."""
    return imported_title(label) if label in imported_arms(study) else label


def _notes(
    study: Study, recorded: list[AnyRecord], missing: int, frames: ReportFrames, cards: Sequence[MetricCard]
) -> list[str]:
    """Write the notes that all tables carry."""
    records = [record for record in recorded if isinstance(record, Record)]
    notes = _bound_notes(records)
    notes += imported_notes([record for record in recorded if isinstance(record, ImportedRecord)])
    suite = study_suite(study)
    notes.append(f"Scores are those of the suite {suite.name}: {suite.note}.")
    if missing:
        notes.append(f"{missing} of {missing + len(recorded)} cells have no record yet; the tables exclude them.")
    cut = dict.fromkeys((record.cell.prompt_id for record in records), 0)
    for record in records:
        cut[record.cell.prompt_id] = max(cut[record.cell.prompt_id], record.prompt_tokens_cut or 0)
    if line := describe_cuts(cut):
        notes.append(f"{line}.")
    codes: dict[str, set[str]] = {}
    for record in records:
        codes.setdefault(record.cell.label, set()).update(filter(None, [record.method_sha256]))
    if mixed := [label for label, found in codes.items() if len(found) > 1]:
        notes.append(f"The cells of {listed(mixed, 'and')} are of several versions of the method's code.")
    notes += _notes_on_backends(records)
    capped = sum(bool(record.diagnostics.get("cap_reached")) for record in records)
    if capped:
        notes.append(f"{capped} of {len(records)} cells ended with a scene at its cap, which could not grow any more.")
    notes += [f"{card.cut_of_columns}." for card in cards if card.cut]
    completed = {record.identity for record in recorded if record.status is Status.COMPLETED}
    unscored = len(completed - set(frames.scores["cell"].unique()))
    if unscored:
        notes.append(f"{unscored} completed cells are not scored yet (sdibench score).")
    return [*notes, *_notes_on_missing(study, frames, cards)]


def _notes_on_missing(study: Study, frames: ReportFrames, cards: Sequence[MetricCard]) -> list[str]:
    """Say what of the study has no scores."""
    absent, notes = unscored_columns(study), []
    if untested := list(dict.fromkeys(each.metric for each in study.paper_claims if each.metric in absent)):
        notes.append(f"No claim about {listed(untested, 'and')} is tested: no metric of the study has such a column.")
    scored = {"metric": {card.name for card in cards}, "control": set(frames.controls["control"])}
    for kind, wanted in (("metric", study.metrics), ("control", study.controls)):
        if lacking := [name for name in wanted if name not in scored[kind]]:
            plural = "s" if len(lacking) > 1 else ""
            notes.append(f"There are no scores of the {kind}{plural} {listed(lacking, 'and')} (sdibench score).")
    return notes


def _notes_on_backends(records: Sequence[Record]) -> list[str]:
    """Name the arms whose cells were computed by several backends on one device, as after a package was installed."""
    found: dict[tuple[str, str], dict[str, set[str]]] = {}
    for record in records:
        parts = found.setdefault((record.cell.label, record.environment.device), {})
        for part, backend in (record.environment.backends or {}).items():
            parts.setdefault(part, set()).add(backend)
    return [
        f"The cells of {label} have their {part} in {listed(sorted(names), 'or')} on {device}: times and memory of the "
        "one are not those of the other."
        for (label, device), parts in found.items()
        for part, names in parts.items()
        if len(names) > 1
    ]


def _bound_notes(records: Sequence[Record]) -> list[str]:
    """Say which predictions were clipped, and with which methods if they differ."""
    labels: dict[str, dict[str, None]] = {}
    for record in records:
        labels.setdefault(record.cell.bound, {})[record.cell.label] = None
    names = {bound: f" ({', '.join(each)})" if len(labels) > 1 else "" for bound, each in labels.items()}
    return [f"bound = {bound}{names[bound]}: {_CLIPPED[bound]}." for bound in labels]


def _method_cards(records: Sequence[AnyRecord]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the cards of the methods that were run, and of the renders that were imported.

    A method without a card, as a user's own may be, has what its class says of it.
    """
    names = dict.fromkeys(record.cell.method for record in records if isinstance(record, Record))
    found: list[tuple[str, list[tuple[str, str]]]] = []
    for name in names:
        if name not in methods:  # of a package that is not here
            found.append((f"Method {name}", []))
        elif card := card_of(name, methods[name]):
            found.append((f"Method {name}: {card.title}", card.facts))
        else:
            words = plain(describe(methods[name]))
            found.append((f"Method {name}", [("its class says", words)] if words else []))
    return [*found, *imported_cards([record for record in records if isinstance(record, ImportedRecord)])]


def _scored_cards(frames: ReportFrames, store: RunStore) -> list[MetricCard]:
    """Return the cards that the metrics were scored with."""
    columns = zip(frames.metric_columns["metric"], frames.metric_columns["card"], strict=True)
    cards = {card.name: card for metric, text in columns for card in [read_card(text, str(metric), store.folder)]}
    return list(cards.values())


def _provenance(study: Study, records: Sequence[AnyRecord]) -> dict[str, str]:
    """Describe the origin of the numbers, with several values if the cells differ."""
    environments = [record.environment for record in records]
    prompt_set = study.prompt_set()

    def each(values: Iterable[str]) -> str:
        return "; ".join(dict.fromkeys(values))

    measured = [record for record in records if isinstance(record, Record)]
    seeds = ", ".join(map(str, study.seeds))
    of_optimisations = {
        "setting": f"{study.steps} steps, guidance {study.guidance}, seeds {seeds}",
        "prior": each(
            f"{record.cell.prior.name}, weights SHA-256 {record.cell.prior_sha256[:12]}" for record in measured
        ),
    }
    return {
        "study": f"{study.name} ({study.key[:12]}): {study.description}",
        "prompts": f"{prompt_set.name}, version {prompt_set.version}",
        **(of_optimisations if measured else {}),
        "threads": each(str(e.threads) for e in environments),
        "platform": each(f"{e.platform}, Python {e.python}" for e in environments),
        "packages": each(", ".join(f"{name} {version}" for name, version in e.packages.items()) for e in environments),
    }
