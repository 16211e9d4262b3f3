"""GPUs that a cost can be estimated for, with their peaks, and the share of them that a step reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from methods.registry import Registry

gpus: Registry[Gpu] = Registry("GPU")

#: Share of the float32 peak that a scene reaches, whose reads of the encoding's table wait for memory, on a GPU where
#: that was not measured.  On an RTX A6000 the rows of Table 1 of arXiv 2405.15891 are then forecast in 1.2 (SDI, SJC),
#: 0.7 (HiFA), 0.5 (VSD, ESD) and 0.25 times (SDS) their published minutes; a smaller share would help HiFA, VSD and ESD
#: at the cost of SDI.
_SCENE_SHARE: Final = 0.10

#: That share on an H200, from the renders of table 1 at 512² with this project's kernels and their gradients: 0.29 s in
#: SDI's and ISM's rows (a share of 0.047), 0.18 in HiFA's (0.055), 0.14 in VSD's (0.070).
_SCENE_SHARE_HOPPER: Final = 0.05

#: Seconds of the host for each operator that Python starts, however small: those of the fastest host in diffusers'
#: tables, 41.89 evaluations of two rows a second, over the operators counted in one of Stable Diffusion's UNet.
LAUNCH_SECONDS: Final = 1 / 41.89 / 863


@dataclass(frozen=True)
class Gpu:
    """One model of GPU."""

    title: str
    """Name in tables."""
    model: str
    """Part of the name that its driver gives it."""
    half_teraflops: float
    """Peak of its tensor cores in float16 with sums in float32, without sparsity, 10¹² operations a second."""
    single_teraflops: float
    """Peak in float32, without tensor cores."""
    memory_gib: int
    """Memory, 2³⁰ bytes."""
    network_share: float
    """Share of ``half_teraflops`` that Stable Diffusion's networks reach in eager PyTorch."""
    source: str
    """Sources of the peaks and of the share."""
    scene_share: float = _SCENE_SHARE
    """Share of ``single_teraflops`` that a scene reaches."""

    @property
    def memory_bytes(self) -> int:
        """Memory."""
        return self.memory_gib * 2**30

    def is_named(self, device: str) -> bool:
        """Whether ``device`` is what its driver calls it."""
        return self.model.lower() in device.lower()


#: 12.84 batches of four images a second on an RTX 4090, say, are 12.84 · 8 rows · 0.804 · 10¹² operations.
_TABLES = "diffusers' tables of torch 2.0 (docs/optimization/torch2.0), batches of 4 without compilation"

for _name, _gpu in {
    "v100": Gpu("V100 SXM2", "V100", 125.0, 15.7, 32, 0.30, f"NVIDIA V100 datasheet; {_TABLES}: 5.89 a second"),
    "a100": Gpu("A100 SXM", "A100", 312.0, 19.5, 80, 0.27, f"NVIDIA A100 datasheet; {_TABLES}: 13.12 a second"),
    "a6000": Gpu(
        "RTX A6000", "RTX A6000", 154.8, 38.7, 48, 0.30,
        "NVIDIA RTX A6000 datasheet; Table 1 of arXiv 2405.15891: the networks of a step of SDI's code, 30.0 · 10¹² "
        "operations, in 0.9 of its 0.714 s",
    ),
    "4090": Gpu(
        "RTX 4090", "RTX 4090", 165.2, 82.6, 24, 0.50, f"NVIDIA Ada whitepaper; {_TABLES}: 12.84 a second"
    ),
    "l40s": Gpu(
        "L40S", "L40S", 362.0, 91.6, 48, 0.23,
        f"NVIDIA L40S datasheet; {_TABLES}: 12.84 a second on an RTX 4090, the same chip",
    ),
    "h100": Gpu(
        "H100 SXM", "H100", 989.5, 66.9, 80, 0.13,
        "NVIDIA H100 datasheet; 1.56 times an A100 (Stability AI, training Stable Diffusion 3: 595 and 381 images/s)",
        _SCENE_SHARE_HOPPER,
    ),
    "h200": Gpu(
        "H200 SXM", "H200", 989.5, 66.9, 141, 0.13,
        "NVIDIA H200 datasheet; networks' share of the H100, the same chip; scene's measured here", _SCENE_SHARE_HOPPER,
    ),
}.items():  # fmt: skip
    gpus.register(_name)(_gpu)

#: The GPU of the SDI paper, for a machine without one.
PAPERS_GPU: Final = "a6000"


def gpu_named(device: str) -> Gpu | None:
    """The GPU that a driver calls ``device``; None if it is not in the table."""
    return next((gpu for gpu in map(gpus.__getitem__, gpus.names()) if gpu.is_named(device)), None)
