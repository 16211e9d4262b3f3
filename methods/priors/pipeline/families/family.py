"""The contract of families: kinds of pipelines that differ in their components and in how their networks are called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from methods.conditioning import Conditioning
from methods.priors.pipeline.text_reader import TextReader
from methods.weights import WeightsError

#: Inputs of UNets that only some families provide, by the configuration's key.
_FURTHER_INPUTS = ("addition_embed_type", "class_embed_type", "encoder_hid_dim_type", "num_class_embeds",
                   "time_cond_proj_dim")  # fmt: skip


class Family(ABC):
    """A kind of pipeline: the components it needs, how texts become conditioning, and how the network is called.

    A family of another package adds itself to ``methods.priors.pipeline.families.FAMILIES``.

    Args:
        configs: The content of ``model_index.json`` as ``index``, of ``scheduler_config.json`` as ``scheduler``, and of
            each network's ``config.json`` by the component's name.
        resolution: Side of the images in pixels; None for the one that the network was trained on.

    Raises:
        WeightsError: If the network cannot make images of that side.
    """

    pipelines: ClassVar[tuple[str, ...]]
    """Names of diffusers' pipelines, as ``_class_name`` of ``model_index.json``."""
    components: ClassVar[Mapping[str, tuple[str, ...]]]
    """Classes that each network and each tokenizer may have."""
    network: ClassVar[str] = "unet"
    """The component that predicts."""
    guidance_scale: ClassVar[float]
    """The scale of classifier-free guidance for a folder without a card."""
    inputs: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Further inputs of a UNet that the family provides: values that each key of its configuration may have."""
    has_outputs_for_variance: ClassVar[bool] = False
    """Whether the network's second half of channels, a learned variance, is split off."""
    keeps_text_encoders: ClassVar[bool] = False
    """Whether the text encoders are small enough to stay in memory after texts have been embedded."""
    upcasts_codec: ClassVar[bool] = False
    """Whether an autoencoder with ``force_upcast`` runs in float32 where the networks run in float16."""
    projections: ClassVar[tuple[str, ...]] = ("to_q", "to_k", "to_v", "to_out.0")
    """The attention's projections that adapters are put on."""
    camera_module: ClassVar[str] = ""
    """The network's module that returns the embedding of time ``(b d)``, which a camera's is added to; "" for a UNet,
    in which it is a class embedding."""

    def __init__(self, configs: Mapping[str, dict[str, Any]], resolution: int | None = None) -> None:
        self.configs = configs
        self.side = self.own_side(configs)
        """Side of the latents."""
        if resolution is not None:
            step = self.factor * self.patch(configs)
            if resolution % step:
                raise WeightsError(
                    f"resolution = {resolution}: must be a multiple of {step}, the pixels of one place that the "
                    "prior's network sees"
                )
            self.side = resolution // self.factor
        self.resolution = self.side * self.factor

    @classmethod
    def own_side(cls, configs: Mapping[str, dict[str, Any]]) -> int:
        """Side of the latents that the network was trained on."""
        return int(configs[cls.network]["sample_size"])

    @classmethod
    def patch(cls, configs: Mapping[str, dict[str, Any]]) -> int:
        """Latents along a side that the network sees as one place."""
        return int(configs[cls.network].get("patch_size", 1))

    @classmethod
    def text_encoders(cls) -> list[str]:
        """Names of the text encoders, in the order in which the pipeline has them."""
        return [name for name in cls.components if name.startswith("text_encoder")]

    @classmethod
    def tokenizers(cls) -> list[str]:
        """Names of the tokenizers, in the order of the text encoders."""
        return [name for name in cls.components if name.startswith("tokenizer")]

    @classmethod
    def networks(cls) -> list[str]:
        """Names of the components that have weights."""
        return [name for name in cls.components if name not in cls.tokenizers()]

    @property
    def factor(self) -> int:
        """Side of one latent in pixels."""
        return 1 if "vae" not in self.components else codec_factor(self.configs["vae"])

    @abstractmethod
    def lengths(self) -> dict[str, int]:
        """Number of tokens that each text encoder reads, those that start and end a text included."""

    @classmethod
    def check(cls, configs: Mapping[str, dict[str, Any]], where: str) -> None:
        """Check that the network can be called with what the family provides.

        Raises:
            WeightsError: If it cannot; the message is one line that begins with ``where``.
        """
        network = configs[cls.network]
        name = "UNet" if cls.network == "unet" else cls.network
        for key in _FURTHER_INPUTS:
            if network.get(key) is not None and network[key] not in cls.inputs.get(key, ()):
                raise WeightsError(
                    f"{where}: the {name}'s {key} = {network[key]!r} needs an input that a prior does not have"
                )
        if not isinstance(network.get("sample_size"), int):
            raise WeightsError(
                f"{where}: the {name}'s sample_size = {network.get('sample_size')!r} must be one whole number"
            )
        given, latents = network.get("in_channels", 4), cls.latent_channels(configs)
        if given != latents:
            raise WeightsError(
                f"{where}: the {name} takes {given} channels and the latents have {latents}; inpainting and depth "
                "models cannot be used as priors"
            )
        returned, right = network.get("out_channels", 4), latents * (1 + cls.has_outputs_for_variance)
        if returned != right:
            raise WeightsError(f"{where}: the {name} returns {returned} channels, right is {right}")

    @classmethod
    def latent_channels(cls, configs: Mapping[str, dict[str, Any]]) -> int:
        """Channels of the latents."""
        return int(configs["vae"].get("latent_channels", 4)) if "vae" in cls.components else 3

    @classmethod
    def default_scale(cls, configs: Mapping[str, dict[str, Any]]) -> float:  # noqa: ARG003, for those that depend on them
        """The guidance scale of a folder without a card."""
        return cls.guidance_scale

    @classmethod
    @abstractmethod
    def readers(cls, folder: Path) -> dict[str, TextReader]:
        """The tokenizers of the pipeline in ``folder``, by the name of their text encoder.

        Raises:
            WeightsError: If one cannot be read.
        """

    @abstractmethod
    def embed(self, tokens: Mapping[str, Tensor], encoders: Mapping[str, Any]) -> Conditioning:
        """The conditioning of one text.

        Args:
            tokens: ``(1 n)`` for each text encoder, on its device, as ``readers`` return them.
            encoders: The text encoders by name.
        """

    def null(self, embed: Callable[[str], Conditioning]) -> Conditioning:
        """The conditioning of no prompt, one row; ``embed`` returns that of a text."""
        return embed("")

    @abstractmethod
    def predict(
        self, network: Any, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning, **more: Any
    ) -> Tensor:
        """Evaluate the network and return ``(b c lh lw)`` in its own parametrisation and precision.

        Args:
            network: The component ``network``, or its adapted copy.
            noisy: Its input ``(b c lh lw)``, in its precision.
            timesteps: ``(b,)``.
            conditioning: That of ``b`` rows, in float32.
            more: Further arguments of the network.
        """


def codec_factor(vae: Mapping[str, Any]) -> int:
    """Side of one latent in pixels, from an autoencoder's configuration."""
    if "patch" in vae:
        return int(vae["patch"])
    blocks = vae.get("encoder_block_out_channels") or vae.get("block_out_channels", (64,))
    return int(2 ** (len(blocks) - 1))


def clip_length(text_encoder: Mapping[str, Any]) -> int:
    """Number of tokens that a CLIP text encoder reads, from its configuration."""
    return int(text_encoder.get("max_position_embeddings", 77))  # the default of transformers' CLIPTextConfig
