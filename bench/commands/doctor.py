"""Whether this machine has what the suite needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from methods.registry import RegistrationError, nearest, package_of, plug_in_groups
from metrics.suites import Role, Suite

if TYPE_CHECKING:
    import torch


def run_doctor(console: Console) -> bool:
    """Print what was found of packages, hardware and weights; whether weights are right and other packages load."""
    from bench.commands.backends import BACKENDS

    table = Table("what", Column("found", overflow="fold"), title="sdibench doctor")
    for name, words in _machine():
        table.add_row(name, Text(words))  # as it stands: square brackets are no markup here
    table.add_section()
    healthy = True
    for name, words, is_right in _plug_ins():
        healthy &= is_right
        table.add_row(name, Text(words))
    table.add_section()
    for backend in BACKENDS:
        table.add_row(backend.name, Text(backend.state()))
    for backend in BACKENDS:
        if backend.chosen_for is not None:
            table.add_row(backend.chosen_for, Text(backend.choice()))
    table.add_section()
    for name, words in _determinism():
        table.add_row(f"same cell twice, {name}", Text(words))
    table.add_section()
    try:
        for name, words, is_right in _check_weights():
            healthy &= is_right
            table.add_row(f"weights: {name}", Text(words))
    except RegistrationError as error:  # of priors or suites, none of which can be looked up then
        healthy = False
        table.add_row("weights", Text(f"not checked: {error}"))
    console.print(table)
    return healthy


def _machine() -> Iterator[tuple[str, str]]:
    import torch

    from bench.watch.environment import describe_environment
    from methods.priors.pipeline.settings import choose_device

    if torch.cuda.is_available():
        choose_device(uses_gpu=True)  # the current GPU is that of SDIBENCH_DEVICE
    found = describe_environment(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    yield "python", f"{found.python}, {found.platform}"
    yield "packages", ", ".join(f"{name} {version}" for name, version in found.packages.items())
    yield "processor", f"{found.cpu}, {found.cores} cores, torch uses {found.threads} threads"
    yield "memory", f"{found.memory_bytes / 2**30:.1f} GiB"
    if found.gpu is None:
        yield "GPU", "none; the CPU does all the work"
    else:
        free, total = torch.cuda.mem_get_info()
        driver = f"driver {found.driver}" if found.driver else "driver's version not known (NVML)"
        memory = f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
        yield "GPU", f"{found.gpu}, {memory}, CUDA {found.cuda}, {driver}"
        yield "float16", half_precision(torch.device("cuda"))
    commit = found.git_commit
    yield "code", "no git checkout" if commit is None else commit[:12] + " with changes" * bool(found.git_dirty)


def _plug_ins() -> Iterator[tuple[str, str, bool]]:
    """Yield what other installed packages add, by group and name, its package and state, and whether it can be used."""
    from bench.commands.list import REGISTRIES, registry_of_kind
    from bench.forecast.gpus import gpus

    def row(entry: EntryPoint, problem: str | None) -> tuple[str, str, bool]:
        package = package_of(entry) or "of no package"
        return f"{entry.group}: {entry.name}", f"{package}, {problem or 'loads'}", problem is None

    registries = {registry.group: registry for registry in (*map(registry_of_kind, REGISTRIES), gpus)}
    for group in plug_in_groups():
        if group not in registries:
            for entry in entry_points(group=group):
                yield row(entry, f"is not looked at: unknown group {group!r}: {nearest(group, registries)}")
            continue
        try:
            for entry, error in registries[group].plug_ins():
                yield row(entry, None if error is None else str(error))
        except RegistrationError as error:  # of a file in the suite's own folder
            yield group, f"not checked: {error}", False


def half_precision(device: torch.device) -> str:
    """Describe a float16 convolution on ``device``: some cards give NaN, and then black images."""
    import torch

    generator = torch.Generator().manual_seed(0)
    image, kernel = (torch.randn(shape, generator=generator) for shape in ((1, 64, 32, 32), (64, 64, 3, 3)))
    exact = torch.nn.functional.conv2d(image, kernel / 24)
    found = torch.nn.functional.conv2d(image.to(device, torch.float16), (kernel / 24).to(device, torch.float16))
    error = float((found.float().cpu() - exact).abs().max())
    if error < 0.05:  # NaN is not
        return f"a convolution is right to {error:.1g}"
    return f"a convolution is wrong by {error:.1g} (of values about 1): set SDIBENCH_DTYPE=float32"


def _determinism() -> Iterator[tuple[str, str]]:
    import torch

    from bench.commands.determinism import largest_difference
    from methods.weights import WeightsError

    for name in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        try:
            difference = largest_difference(torch.device(name))
        except (RuntimeError, RegistrationError, WeightsError) as error:
            yield name, f"not measured: {error}"
        else:
            yield name, f"parameters differ by up to {difference:.1e}" if difference else "bit-equal"


def _check_weights() -> Iterator[tuple[str, str, bool]]:
    """Yield each set of weights, its state, and whether that is right; weights never fetched are not wrong."""
    from methods.priors import priors
    from methods.priors.loading import prior_sha256
    from methods.weights import WeightsError, WeightsMissingError, hash_weights
    from metrics import suites
    from metrics.models.suite_models import load_role

    def of_prior(name: str) -> str:
        return f"SHA-256 {prior_sha256(name)[:12]}"

    def of_role(suite: Suite, role: Role) -> str:
        state = f"SHA-256 {hash_weights(suite.folder(role))[:12]}"
        if suite.models[role].expected is None:
            return state
        load_role(suite, role)  # raises
        return f"{state}; three known images score as expected"

    checks: list[tuple[str, Callable[[], str], bool]] = [  # the last: whether the weights have to be fetched
        (f"prior {name}", partial(of_prior, name), priors[name].hub is not None) for name in priors.names()
    ]
    for suite in map(suites.__getitem__, suites.names()):
        for role, model in suite.models.items():
            checks.append((f"{role} of the suite {suite.name}", partial(of_role, suite, role), bool(model.repository)))
    for name, check, is_fetched in checks:
        try:
            yield name, f"right, {check()}", True
        except WeightsMissingError as error:
            yield name, f"not there: {error}", is_fetched
        except WeightsError as error:
            yield name, str(error), False
