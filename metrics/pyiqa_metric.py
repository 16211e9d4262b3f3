"""The no-reference metrics of the package pyiqa, as ``pyiqa:NAME``."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from methods.registry import UnknownNameError, nearest
from methods.weights import WeightsError
from metrics.card import Column, MetricCard
from metrics.suites import Role, Suite
from metrics.views import Views

if TYPE_CHECKING:
    from metrics import Metric

_BATCH_PIXELS = 8 * 512**2

#: Side of the images of the check at load, pixels: larger than what any of the metrics crops.
_CHECK_SIDE = 256

#: Relative and absolute difference of two scores that is only the order of floating-point sums.
_SAME = 1e-4

#: Metrics that do not score a single image: they read a text, or compare sets of images.
_OTHERS = frozenset({"clipscore", "fid", "fid_dinov2", "inception_score", "sfid"})


class PyiqaMetric:
    """A metric of pyiqa on each view at its own size, in pyiqa's unit.

    pyiqa downloads its own weights at the first use; the suite is not used.  Source: Chen et al.,
    "IQA-PyTorch", https://github.com/chaofengc/IQA-PyTorch, which names the paper of each metric.
    """

    metric: str  # name in pyiqa
    columns: tuple[Column, ...]
    role: Role | None = None

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        pyiqa = _package()
        self._device = torch.device(device)
        try:
            self._network = pyiqa.create_metric(self.metric, device=self._device)
        except Exception as error:  # raised by a download, an archive or a missing package of pyiqa's own
            reason = str(error).strip().splitlines()
            raise WeightsError(
                f"pyiqa:{self.metric}: pyiqa could not load it ({reason[0] if reason else type(error).__name__}); it "
                "fetches its own weights, so score once where its servers can be reached, then without"
            ) from error
        self._is_batched = self._check_batches()
        name = f"pyiqa:{self.metric}"
        direction = "lower" if self._network.lower_better else "higher"
        self.card = MetricCard(
            columns=tuple(column.model_copy(update={"direction": direction}) for column in self.columns),
            name=name,
            title=f"{self.metric} (pyiqa)",
            checkpoint=f"pyiqa {pyiqa.__version__}'s own weights for {self.metric}",
            weights_sha256=_state_sha256(self._network),
            preprocessing="uint8 RGB over the evaluation background at its own size, divided by 255; then pyiqa's, "
            "which on a GPU lets convolutions use TensorFloat-32"
            + ("" if self._is_batched else "; one image at a time, with the same random numbers for each"),
            description=f"pyiqa's no-reference metric {self.metric!r} with its default options; its authors give its "
            f"range as {self._network.score_range or 'unknown'}. It judges images alone, not whether they fit the "
            "prompt.",
        )

    @torch.no_grad()
    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)``; the prompt is not used.

        Some of pyiqa's metrics crop at random; the generator that they draw from is reset for every batch.
        """
        height, width = views.rgb.shape[1:3]
        size = max(1, _BATCH_PIXELS // (height * width)) if self._is_batched else 1
        found = [self._run(some) for some in torch.from_numpy(views.rgb).split(size)]
        return {self.columns[0].name: torch.cat(found).numpy()}

    def _run(self, rgb: Tensor) -> Tensor:
        """Scores, float64 ``(n,)``, of one batch of images, uint8 ``(n h w 3)``."""
        pixels = rgb.permute(0, 3, 1, 2).to(self._device, torch.float32) / 255
        with _fixed_draws(self._device):
            return self._network(pixels).reshape(len(rgb)).double().cpu()

    @torch.no_grad()
    def _check_batches(self) -> bool:
        """Whether an image has the same score in a batch as alone.

        Raises:
            WeightsError: If it has another score each time, although the random numbers are the same.
        """
        generator = torch.Generator().manual_seed(0)
        coarse = torch.randint(0, 256, (3, 3, 16, 16), generator=generator).float()
        images = torch.nn.functional.interpolate(coarse, (_CHECK_SIDE,) * 2, mode="bilinear").permute(0, 2, 3, 1)
        some = images.to(torch.uint8)
        batch, alone, again = self._run(some), *(torch.cat([self._run(each[None]) for each in some]) for _ in range(2))
        if not torch.allclose(alone, again, rtol=_SAME, atol=_SAME):
            raise WeightsError(
                f"pyiqa:{self.metric}: gives the same image another score each time ({alone[0]:.6g}, then "
                f"{again[0]:.6g}), so its column could not be repeated; leave it out of metrics"
            )
        return torch.allclose(batch, alone, rtol=_SAME, atol=_SAME)


@cache
def pyiqa_metric(name: str) -> type[Metric]:
    """Return the class of ``pyiqa:name``.

    Raises:
        UnknownNameError: If pyiqa is not installed or has no such metric; the message is one line.
    """
    if importlib.util.find_spec("pyiqa") is None:
        raise UnknownNameError(
            f"metric 'pyiqa:{name}' needs the package pyiqa, which is not installed: pip install '.[pyiqa]'"
        )
    known = sorted(set(_package().list_models(metric_mode="NR")) - _OTHERS)
    if name not in known:
        raise UnknownNameError(f"pyiqa has no metric {name!r} that scores a single image: {nearest(name, known)}")
    column = Column(name=f"pyiqa:{name}", title=name.upper())  # the direction is known once it is loaded
    fields = {"metric": name, "columns": (column,), "__doc__": f"pyiqa's {name}.", "__module__": __name__}
    return type(f"Pyiqa_{name}", (PyiqaMetric,), fields)


def _package() -> Any:
    importlib.import_module("methods.torchvision_shim")  # before pyiqa, which imports torchvision
    return importlib.import_module("pyiqa")


@contextmanager
def _fixed_draws(device: torch.device) -> Iterator[None]:
    """Seed the global generators, which pyiqa uses, and restore their state afterwards."""
    before = np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(0)
        np.random.set_state(np.random.RandomState(0).get_state())  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002


def _state_sha256(network: torch.nn.Module) -> str:
    """Hash the names and values of all parameters and buffers, because pyiqa's files are in several places."""
    total = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        total.update(f"{name} {tuple(value.shape)} {value.dtype}\n".encode())
        total.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
