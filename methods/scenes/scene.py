"""The contract of a scene, the object that is optimised."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Self

import torch
from torch import Tensor, nn

from methods.cameras import Cameras
from methods.contracts import Prior, Rendering

#: Images that a render can be asked for in addition to colour, opacity and depth.
Output = Literal["normals"]


class FieldSample(NamedTuple):
    """Density and colour at n points."""

    density: Tensor  # (n,), per world unit
    rgb: Tensor  # (n 3), in [0, 1], the same from all sides


class Volume(Protocol):
    """Density and colour in a ball around the origin: the part of a scene that a mesh is extracted from."""

    radius: float  # of the ball, world units

    def __call__(self, points: Tensor) -> FieldSample:
        """Density and colour at world points ``(n 3)``."""
        ...

    def density(self, points: Tensor) -> Tensor:
        """Density ``(n,)`` at world points ``(n 3)``."""
        ...


class Scene(nn.Module, ABC):
    """The object that is optimised: its tensors, and how a batch of cameras sees them.

    A scene asks for nothing else than ``render`` and ``parameter_groups``; all other methods have defaults.  Whether a
    render is of the optimisation is the argument ``training`` alone: neither ``nn.Module.training`` nor whether
    gradients are enabled changes what is rendered.
    """

    bounding_radius: float | None = None
    """Radius of the ball around the origin that holds the scene, world units; None for a scene without one.  A scene
    that fills its ball counts as diverged (``opaque``)."""

    is_opaque: bool = False
    """Whether each pixel is opaque whatever the parameters are, as in an image: such a scene never counts as diverged
    for its opacity."""

    @abstractmethod
    def render(
        self,
        cameras: Cameras,
        *,
        resolution: int,
        background: Tensor,
        generator: torch.Generator | None = None,
        training: bool = False,
        outputs: Collection[Output] = (),
    ) -> Rendering:
        """Render square images.

        Args:
            cameras: ``b`` cameras, on the scene's device.
            resolution: Side of the images, pixels.
            background: Colours ``(b 3)`` behind the scene.
            generator: Draws the jitter of samples and the lighting; None for none.
            training: Whether this is a render of the optimisation, which also has the penalties that
                :meth:`regularisation` needs, and a gradient.
            outputs: Images that are asked for in addition to colour, opacity and depth.
        """

    @abstractmethod
    def parameter_groups(self) -> list[dict[str, Any]]:
        """Groups for a torch optimiser, each with ``name``, ``params`` and ``lr``."""

    def regularisation(self, rendering: Rendering, progress: float) -> dict[str, Tensor]:
        """Weighted penalties by name, to be added to the method's loss; none by default."""
        return {}

    def before_step(self, progress: float) -> None:
        """Change what depends on ``progress`` in [0, 1] before a step; nothing by default."""
        return

    def after_step(self, step: int, optimiser: torch.optim.Optimizer, generator: torch.Generator) -> None:
        """Change the scene after the optimiser's step; nothing by default.

        A scene may add or remove parameters here.  It then also changes the optimiser's groups and moments, and
        :meth:`parameter_groups` returns the new parameters.

        Args:
            step: Number of the step, from 0.
            optimiser: The optimiser of the scene's parameter groups.
            generator: Draws whatever is random.
        """
        return

    def backends(self) -> dict[str, str]:
        """The code that computes each part which has a choice of it, on the scene's device; nothing by default.

        It decides speed and memory alone, and is kept in the record.
        """
        return {}

    def volume(self) -> Volume | None:
        """The density that a mesh is extracted from; None for a scene without geometry."""
        return None

    @torch.no_grad()
    def resize(self, state: Mapping[str, Tensor]) -> None:
        """Give parameters and buffers the shapes of a saved ``state``, whose values are loaded afterwards.

        Tensors whose shape differs are replaced, so an optimiser has to be made after this.

        Raises:
            AttributeError: If ``state`` names a module that the scene does not have.
        """
        for path, value in state.items():
            owner_path, _, name = path.rpartition(".")
            owner = self.get_submodule(owner_path)
            present = getattr(owner, name, None)
            if not isinstance(present, Tensor) or present.shape == value.shape:
                continue
            resized = torch.empty_like(value, device=present.device, dtype=present.dtype)
            if isinstance(present, nn.Parameter):
                setattr(owner, name, nn.Parameter(resized, requires_grad=present.requires_grad))
            else:
                owner.register_buffer(name, resized)


@dataclass(frozen=True)
class SceneSettings(ABC):
    """The settings of a scene: a frozen dataclass whose fields are its hyper-parameters."""

    has_sides: ClassVar[bool] = True
    """Whether cameras see it from different sides, which view words name."""

    def miniature(self, side: int, small: int) -> Self:
        """Settings with which a render of ``small`` pixels costs per pixel what one of ``side`` costs with these.

        The forecast counts the operations of such a render.  By default it is the same settings: a pixel costs the same
        in an image of any size.
        """
        return self

    def kept_bytes(self, side: int, cameras: Cameras) -> float | None:
        """Bytes of a render of ``side`` pixels that wait for the gradient, in the mean over ``cameras``.

        The forecast takes them in place of those that it counts on a render by code that runs everywhere
        (``methods.scenes.portable``); None, the default, where those are the same.
        """
        return None

    @abstractmethod
    def build(self, prior: Prior, generator: torch.Generator) -> Scene:
        """The scene before its first step, on the generator's device.

        Args:
            prior: The study's prior, for a scene of its latents.
            generator: Draws all initial parameters.

        Raises:
            ValueError: If settings do not go together; the line names field, value and what would be right.
            MissingPackageError: If a setting needs a package that is not installed.
        """
