"""The sections of a study file that all methods share; they are part of a cell's identity."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    WrapSerializer,
    WrapValidator,
    model_serializer,
    model_validator,
)

from bench.study.section import Section
from methods.camera_range import CameraRange
from methods.diffusion.bounded import Bound

if TYPE_CHECKING:
    from methods.cameras import Cameras


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the lower bound comes first: [{bounds[1]}, {bounds[0]}]")
    return bounds


def _rising(values: tuple[float, ...]) -> tuple[float, ...]:
    if any(a >= b for a, b in pairwise(values)):
        raise ValueError("must rise, such as [0.25, 0.5, 0.75]")
    return values


Elevation = Annotated[float, Field(ge=-90, le=90)]
Distance = Annotated[float, Field(gt=0, le=100)]
FieldOfView = Annotated[float, Field(gt=0, lt=180)]
Unit = Annotated[float, Field(ge=0, le=1)]
Penalties = Literal["relative", "absolute"]
ViewPrompts = Literal["words", "perp_neg", "none"]
Resolution = Annotated[int, Field(ge=4, le=2048)]
ResolutionSteps = tuple[tuple[Unit, Resolution], ...]

_VIEW_SECTOR_DEG = 45.0
_LATER_CAMERAS = {"position_jitter", "up_jitter", "sphere_share", "later", "antithetic"}

_RESOLUTION: TypeAdapter[int] = TypeAdapter(Resolution)
_RESOLUTION_STEPS: TypeAdapter[ResolutionSteps] = TypeAdapter(ResolutionSteps)


def _resolution(value: Any, _handler: object) -> int | ResolutionSteps:
    """Validate by hand, because pydantic reports errors for each member of a union, none under the field's name."""
    adapter: TypeAdapter[Any] = _RESOLUTION_STEPS if isinstance(value, list | tuple) else _RESOLUTION
    try:  # through JSON, whose strict mode accepts lists for tuples and nothing else
        found: int | ResolutionSteps = adapter.validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = f"entry {'.'.join(map(str, problem['loc']))}: " if problem["loc"] else ""
        raise ValueError(where + problem["msg"]) from None
    if isinstance(found, tuple):
        starts = [start for start, _ in found]
        if not starts or starts[0] != 0 or any(a >= b for a, b in pairwise(starts)):
            raise ValueError("must be pixels, or steps from progress 0 on that rise, such as [[0.0, 64], [0.2, 512]]")
    return found


#: Key of an arm whose images were made elsewhere: the layout of the folder with them.
RENDERS = "renders"


def is_imported(arm: Any) -> bool:
    """Whether the table of an arm is that of renders which were made elsewhere."""
    return isinstance(arm, dict) and RENDERS in arm


def named_table(value: Any) -> Any:
    """The table ``{ name = "ddim" }`` for a part chosen by its name alone, ``"ddim"``; anything else unchanged."""
    return {"name": value} if isinstance(value, str) else value


def _without_zeros(cameras: CameraRange, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
    """Leave out the settings that came later at 0, false or empty: a cell without them keeps its identity."""
    fields: dict[str, Any] = dump(cameras)
    return {name: value for name, value in fields.items() if name not in _LATER_CAMERAS or value}


class RenderSettings(Section):
    """Renders that the method sees."""

    resolution: Annotated[Resolution | ResolutionSteps, WrapValidator(_resolution)] = 32
    """Side of the square render, pixels; or pairs of the progress from which a side holds, and that side."""
    background: Annotated[tuple[Unit, Unit], AfterValidator(_ordered)] = (0.5, 1.0)
    """Range of the random grey level behind each view, 0 black to 1 white."""

    def resolution_at(self, progress: float) -> int:
        """Side of the render at ``progress`` in [0, 1], pixels."""
        if isinstance(self.resolution, int):
            return self.resolution
        return next(side for start, side in reversed(self.resolution) if progress >= start)


class EvaluationSettings(Section):
    """The fixed ring of views that is scored, and the snapshots of it during the optimisation."""

    views: Annotated[int, Field(ge=1, le=360)] = 24
    """Number of cameras, at equal azimuth steps from the front."""
    resolution: Resolution = 64
    """Side of the square render, pixels."""
    elevation_deg: Elevation = 15.0
    """Angle of all cameras above the horizon, degrees."""
    distance: Distance = 3.0
    """Distance of all cameras from the origin, world units."""
    fovy_deg: FieldOfView = 40.0
    """Vertical field of view, degrees."""
    background: Unit = 1.0
    """Grey level behind the scene, 0 black to 1 white."""
    snapshots: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], AfterValidator(_rising)] = ()
    """Progress, in (0, 1), at which some of the views are rendered during the optimisation; none by default."""
    snapshot_views: Annotated[int, Field(ge=1, le=360)] = 4
    """Views of a snapshot, spread over the ring."""

    @model_serializer(mode="wrap")
    def _without_snapshots(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out snapshots if there are none, so that their number of views is not part of the identity."""
        fields: dict[str, Any] = dump(self)
        if not self.snapshots:
            fields = {name: value for name, value in fields.items() if name not in {"snapshots", "snapshot_views"}}
        return fields

    def cameras(self) -> Cameras:
        """The cameras of the ring, on the CPU."""
        from methods.cameras import evaluation_ring  # imports torch, which --help must not wait for

        return evaluation_ring(
            self.views, elevation_deg=self.elevation_deg, distance=self.distance, fovy_deg=self.fovy_deg
        )

    def snapshot_steps(self, steps: int) -> list[int]:
        """Number of steps before each snapshot of an optimisation of ``steps`` steps."""
        return sorted({max(1, round(progress * steps)) for progress in self.snapshots})

    def snapshot_places(self) -> list[int]:
        """Indices in the ring of the views of a snapshot."""
        count = min(self.snapshot_views, self.views)
        return [index * self.views // count for index in range(count)]


class OptimiserSettings(Section):
    """Adam; the learning rates belong to the scene."""

    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (
        0.9,
        0.99,
    )
    """Decay of the running mean of the gradient and of its square."""
    eps: Annotated[float, Field(gt=0, le=1)] = 1e-15
    """Constant that is added to the root of the second moment."""


class DivergenceSettings(Section):
    """Bounds beyond which an optimisation counts as diverged and is stopped."""

    patience: Annotated[int, Field(ge=1)] = 60
    """Number of steps in a row with an opacity out of bounds, or with unchanged parameters."""
    empty_opacity: Unit = 0.01
    """Mean opacity of the views below which the scene is empty; 0 turns the check off."""
    opaque_opacity: Unit = 0.95
    """Share of the pixels of an entirely filled scene above which the scene is opaque; 1 turns the check off.  A
    scene that is opaque by construction (image, latent) is not judged by it."""
    frozen_change: Annotated[float, Field(ge=0, le=1)] = 1e-6
    """Relative change (2-norm) of the parameters over ``patience`` steps that means frozen; 0 turns the check off."""


class PriorChoice(Section):
    """The diffusion prior: ``prior = "toybox"``, or a table with its settings."""

    name: Annotated[str, Field(min_length=1)]
    """Name of the prior, path of its folder, or repository of the hub; not part of a cell's identity."""
    posterior: Literal["mode", "sample"] = "mode"
    """The latents that a KL autoencoder makes of an image: the mode of its posterior, or a sample as in the papers'
    code."""
    resolution: Annotated[int, Field(ge=8, le=4096)] | None = None
    """Side in pixels of the images that the prior sees; by default the one that its network was trained on."""

    @property
    def arguments(self) -> tuple[str, Literal["mode", "sample"]] | tuple[str, Literal["mode", "sample"], int]:
        """The arguments of ``cached_prior``, written in one way only so that a prior is loaded once."""
        given = self.name, self.posterior
        return given if self.resolution is None else (*given, self.resolution)

    @model_serializer(mode="wrap")
    def _without_default_resolution(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a resolution that is not set: a cell without it keeps its identity."""
        fields: dict[str, Any] = dump(self)
        return {name: value for name, value in fields.items() if name != "resolution" or value is not None}

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return named_table(value)


class CellSettings(Section):
    """The keys of a study that decide the numbers of its cells; a cell takes them over unchanged."""

    prior: PriorChoice = PriorChoice(name="toybox")
    """The diffusion prior."""
    steps: Annotated[int, Field(ge=1, le=1_000_000)]
    """Optimisation steps of a cell."""
    views_per_step: Annotated[int, Field(ge=1, le=64)] = 1
    """Cameras rendered in one step."""
    penalties: Penalties = "relative"
    """Weights of the scene's penalties: relative to the size of the method's update, or absolute next to its loss."""
    bound: Bound = "none"
    """The predictions whose clean image is moved into the prior's range of images, if it has one (``Prior.bound``):
    none of them, those that updates and samples are made of, or all, those within inversions included."""
    view_prompts: ViewPrompts = "words"
    """The side that a camera sees is named by view words ("…, back view"), by Perp-Neg, or not at all (2D)."""
    view_sector_deg: Annotated[float, Field(gt=0, le=90)] = _VIEW_SECTOR_DEG
    """View words name the front within this angle of azimuth 0, and the back within it of 180°, degrees."""
    guidance_rescale: Unit = 0.0
    """Share by which the deviation of a guided clean image is brought to that of the image under the prompt alone, 0 to
    1; inversions, and updates without a guided image (CSD, BSD, the bridge's second stage), stay as they are."""
    update_clamp: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] | None = None
    """Bound of each element of a method's update at the first and at the last step, linear between; none by default."""
    cameras: Annotated[CameraRange, WrapSerializer(_without_zeros)] = CameraRange()
    """Random cameras of the optimisation."""
    render: RenderSettings = RenderSettings()
    """Renders that the methods see."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """Ring of views that is scored."""
    optimiser: OptimiserSettings = OptimiserSettings()
    """Adam's constants."""
    divergence: DivergenceSettings = DivergenceSettings()
    """Bounds beyond which a cell counts as diverged."""

    @model_validator(mode="after")
    def _has_pairs_of_views(self) -> Self:
        if self.cameras.antithetic and self.views_per_step < 2:
            raise ValueError(f"cameras.antithetic: true needs views_per_step of 2 or more, not {self.views_per_step}")
        return self

    @model_serializer(mode="wrap")
    def _without_later_settings(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a setting that came later at its default: a cell without it keeps its identity."""
        fields: dict[str, Any] = dump(self)
        later = {"view_sector_deg": _VIEW_SECTOR_DEG, "guidance_rescale": 0.0, "update_clamp": None}
        return {name: value for name, value in fields.items() if name not in later or value != later[name]}

    def update_clamp_at(self, progress: float) -> float | None:
        """Bound of each element of the update at ``progress`` in [0, 1]; None without one."""
        if self.update_clamp is None:
            return None
        first, last = self.update_clamp
        return first + (last - first) * progress
