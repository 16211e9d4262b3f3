"""The operations that estimated costs stand on, by method, for a reader who wants to check them."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.forecast.estimate import StepWork
from bench.forecast.gpus import LAUNCH_SECONDS, Gpu
from bench.output import print_line

_TERA = 1e12


def print_estimated_steps(steps: Mapping[str, StepWork | None], gpu: Gpu, console: Console) -> None:
    """Print the operations of a mean step of each method, and what they were divided by; nothing without estimates.

    Args:
        steps: The steps by label; None for a method whose cost was not estimated.
        gpu: The GPU that they were estimated on.
        console: The console to print on.
    """
    estimated = {label: step for label, step in steps.items() if step is not None}
    if not estimated:
        return
    table = Table("method", "UNet rows", "UNet", "VAE", "scene", "s per step")
    for label, step in estimated.items():
        work = (f"{each / _TERA:.2f}" for each in (step.unet, step.vae, step.scene))
        table.add_row(Text(label), f"{step.unet_rows:.1f}", *work, f"{step.seconds:.2f}")
    print_line(console, "estimated: 10¹² operations of a mean step, with a scene of the size that it starts with")
    console.print(table)
    is_half = any(step.is_half for step in estimated.values())  # all methods of a study have one prior
    networks = f"{gpu.half_teraflops:g} TFLOPS in float16" if is_half else f"{gpu.single_teraflops:g} TFLOPS in float32"
    print_line(
        console,
        f"{gpu.title}: networks at {gpu.network_share:.0%} of {networks}, scene at "
        f"{gpu.scene_share:.0%} of {gpu.single_teraflops:g} in float32, but no operator under "
        f"{LAUNCH_SECONDS * 1e6:.0f} µs of the host; from: {gpu.source}",
    )
