"""Live curves and images of the cells that are running, in an experiment tracker."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from bench.engines.options import TrackerName
from bench.records.outcome import Outcome, SnapshotImages
from bench.study.cell import Cell
from bench.watch.telemetry import Event


class CellTracker:
    """The run of one cell in a tracker: its curves by step, its images by snapshot, and its costs.

    An experiment tracker is an extra, whose server may be away: if a call fails, the cell goes on without it, and
    one line in the cell's log says so.

    Args:
        name: The tracker; None for a tracker that does nothing.
        cell: The cell; its settings become those of the run.
        study: Name of the study, which becomes the project or experiment ``sdibench-STUDY``.
        folder: Folder for the files of trackers that write files.
    """

    def __init__(self, name: TrackerName | None, cell: Cell, study: str, folder: Path) -> None:
        self._name = name
        self._tracker: Any = None
        if name is None:
            return
        from accelerate import PartialState

        self._kind = _KINDS[name]
        with self._errors_to_log():
            PartialState(cpu=True)  # the trackers' logger wants it; this process is in no group of processes
            tracker = self._kind.make(cell, f"sdibench-{study}", folder)
            tracker.main_process_only = False  # each worker is a process with cells of its own
            tracker.start()
            settings = cell.model_dump(mode="json")
            tracker.store_init_configuration({key: str(value) for key, value in settings.items()})
            self._tracker = tracker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._errors_to_log():
            if self._tracker is not None:
                self._tracker.finish()

    def step(self, event: Event) -> None:
        """Log the numbers of a step, except for those that are not finite."""
        numbers = event.model_dump(include={"loss", "regularisation", "opacity", "timestep", "log_snr", "seconds"})
        self._log(numbers | event.diagnostics, event.step)

    def snapshot(self, snapshot: SnapshotImages) -> None:
        """Log the views of a snapshot."""
        self._log_images("snapshot", snapshot.images.rgb, snapshot.step)

    def end(self, outcome: Outcome) -> None:
        """Log the evaluation views and the costs of the cell."""
        record = outcome.record
        self._log_images("views", outcome.images.rgb, record.steps_done)
        costs = {"total_seconds": record.seconds.total, "peak_memory_gb": record.memory.arm_bytes / 1e9}
        self._log(costs, record.steps_done)

    def _log(self, numbers: Mapping[str, float | None], step: int) -> None:
        with self._errors_to_log():
            if self._tracker is not None:
                self._tracker.log({name: value for name, value in numbers.items() if value is not None}, step=step)

    def _log_images(self, title: str, rgb: np.ndarray, step: int) -> None:
        with self._errors_to_log():
            if self._tracker is not None and len(rgb):
                self._kind.log_images(self._tracker, title, rgb, step)

    @contextmanager
    def _errors_to_log(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001, trackers fail in ways of their own, and no cell is worth one
            self._tracker = None
            words = " ".join(str(error).split())
            sys.stderr.write(f"--track {self._name}: {type(error).__name__}: {words}; the cell goes on without it\n")


class _Kind(NamedTuple):
    make: Callable[[Cell, str, Path], Any]
    """Make accelerate's tracker of a cell, a project and a folder."""
    log_images: Callable[[Any, str, np.ndarray, int], None]
    """Log images, uint8 ``(n h w 3)``, under a title at a step."""


def _tensorboard(cell: Cell, project: str, folder: Path) -> Any:
    from accelerate.tracking import TensorBoardTracker

    return TensorBoardTracker(cell.folder_name, folder)


def _tensorboard_images(tracker: Any, title: str, rgb: np.ndarray, step: int) -> None:
    tracker.log_images({title: rgb}, step=step, dataformats="NHWC")


def _wandb(cell: Cell, project: str, folder: Path) -> Any:
    from accelerate.tracking import WandBTracker

    folder.mkdir(parents=True, exist_ok=True)
    run_id = cell.identity[:32]  # a cell that resumes continues its run
    return WandBTracker(project, name=_name(cell), group=cell.label, id=run_id, resume="allow", dir=str(folder))


def _wandb_images(tracker: Any, title: str, rgb: np.ndarray, step: int) -> None:
    tracker.log_images({title: list(rgb)}, step=step)


def _mlflow(cell: Cell, project: str, folder: Path) -> Any:
    from accelerate.tracking import MLflowTracker

    return MLflowTracker(experiment_name=project, run_name=_name(cell))


def _mlflow_images(tracker: Any, title: str, rgb: np.ndarray, step: int) -> None:
    import mlflow

    for index, image in enumerate(rgb):
        mlflow.log_image(image, key=f"{title}-{index}", step=step)


def _trackio(cell: Cell, project: str, folder: Path) -> Any:
    from accelerate.tracking import TrackioTracker

    return TrackioTracker(project, name=_name(cell), group=cell.label, resume="allow")


def _trackio_images(tracker: Any, title: str, rgb: np.ndarray, step: int) -> None:
    import trackio

    tracker.log({f"{title}/{index}": trackio.Image(image) for index, image in enumerate(rgb)}, step=step)


_KINDS: dict[TrackerName, _Kind] = {
    "tensorboard": _Kind(_tensorboard, _tensorboard_images),
    "wandb": _Kind(_wandb, _wandb_images),
    "mlflow": _Kind(_mlflow, _mlflow_images),
    "trackio": _Kind(_trackio, _trackio_images),
}


def _name(cell: Cell) -> str:
    return f"{cell.label}-{cell.prompt_id}-{cell.seed}"
