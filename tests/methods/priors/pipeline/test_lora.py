"""The adapted copy of a UNet: equal to the prior at first, trainable, and without an effect on the prior."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel

from methods.conditioning import Conditioning
from methods.diffusion.adaptation import Adaptation, low_rank_copy
from methods.priors.loading import load_prior
from methods.priors.pipeline.families.stable_diffusion import StableDiffusion
from methods.priors.pipeline.lora import AdaptedNetwork


@pytest.fixture
def unet() -> UNet2DConditionModel:
    with torch.random.fork_rng():
        network = UNet2DConditionModel(
            sample_size=4,
            in_channels=8,
            out_channels=8,
            block_out_channels=(16,),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D",),
            up_block_types=("CrossAttnUpBlock2D",),
            cross_attention_dim=16,
            attention_head_dim=2,
            norm_num_groups=4,
        )
    return network.requires_grad_(requires_grad=False).eval()


def evaluate(unet, latents, timesteps, conditioning, **more):
    return unet(latents, timesteps, conditioning.sequence, **more).sample


def plain(unet: UNet2DConditionModel, inputs) -> torch.Tensor:
    latents, timesteps, text = inputs
    return unet(latents, timesteps, text.sequence).sample


def adapt(unet: UNet2DConditionModel, seed: int = 0) -> AdaptedNetwork:
    return AdaptedNetwork(unet, evaluate, StableDiffusion, rank=4, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    latents, text = torch.randn(2, 8, 4, 4, generator=generator), torch.randn(2, 5, 16, generator=generator)
    return latents, torch.tensor([20, 900]), Conditioning(text)


def train(adapted: AdaptedNetwork, inputs, steps: int = 60) -> list[float]:
    """Fit a separate noise for each of two cameras that see the same latents under the same text."""
    first = torch.zeros(2, dtype=torch.int64)
    latents, timesteps, text = (each[first] for each in inputs)
    wanted = torch.randn(latents.shape, generator=torch.Generator().manual_seed(9))
    optimiser = torch.optim.AdamW(adapted.parameters().values(), lr=0.02)
    losses = []
    for _ in range(steps):
        loss = (adapted.predict_noise(latents, timesteps, text, torch.eye(16)[:2]) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


def test_at_first_it_is_the_network_for_every_camera(unet, inputs) -> None:
    cameras = torch.randn(2, 16, generator=torch.Generator().manual_seed(1))
    assert torch.equal(adapt(unet).predict_noise(*inputs, cameras), plain(unet, inputs))


def test_it_learns_what_a_camera_sees_and_the_network_stays_bit_for_bit(unet, inputs) -> None:
    before = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    said = plain(unet, inputs)
    adapted = adapt(unet)
    losses = train(adapted, inputs)
    assert losses[-1] < 0.7 * losses[0]
    shared = [each[torch.zeros(2, dtype=torch.int64)] for each in inputs]
    first, second = adapted.predict_noise(*shared, torch.eye(16)[:2])
    assert not torch.allclose(first, second, atol=1e-2)  # only the cameras differ
    assert list(before) == list(unet.state_dict())  # no adapter was put into the prior's own modules
    assert all(torch.equal(before[name], tensor) for name, tensor in unet.state_dict().items())
    assert all(parameter.grad is None for parameter in unet.parameters())
    assert torch.equal(plain(unet, inputs), said)


def test_only_adapters_and_the_camera_s_embedding_are_trained_and_the_rest_is_shared(unet) -> None:
    adapted = adapt(unet)
    trained = adapted.parameters()
    assert all(".lora_" in name or name.startswith("class_embedding.") for name in trained)
    # attention in 4 places (1 down, 1 middle, 2 up), each with itself and the text, of 4 projections, of 2 factors
    assert sum(".lora_" in name for name in trained) == 4 * 2 * 4 * 2
    assert {value.shape[0] for name, value in trained.items() if "lora_A" in name} == {4}
    theirs = {tensor.data_ptr() for tensor in unet.parameters()}
    rest = [value for value in adapted._network.parameters() if not value.requires_grad]
    assert {value.data_ptr() for value in rest} == theirs


def test_first_values_come_from_the_generator_alone(unet) -> None:
    copies = []
    for seed in (0, 0, 1):
        with torch.random.fork_rng():
            torch.rand(len(copies) + 1)  # the global generator has another state each time
            copies.append(adapt(unet, seed).parameters())
    factors = [name for name in copies[0] if "lora_A" in name or "linear_1.weight" in name]
    assert all(torch.equal(copies[0][name], copies[1][name]) for name in copies[0])
    assert not any(torch.equal(copies[0][name], copies[2][name]) for name in factors)


def test_an_unfrozen_or_classed_network_is_refused(unet) -> None:
    unet.conv_in.weight.requires_grad_()
    with pytest.raises(ValueError, match="is not frozen"):
        adapt(unet)
    unet.requires_grad_(requires_grad=False)
    unet.class_embedding = torch.nn.Identity()
    with pytest.raises(ValueError, match="has a class embedding already"):
        adapt(unet)


def test_the_toybox_prior_is_adapted_in_noise_and_stays_unchanged() -> None:
    """The toybox's network predicts v: the copy's output is converted to noise too, and its calls are counted."""
    prior = load_prior("toybox")
    generator = torch.Generator().manual_seed(0)
    latents, noise = torch.randn(2, 2, 16, 16, 16, generator=generator)
    timesteps, text = torch.tensor([100, 700]), prior.embed(["a red car", "a blue duck"])
    state = Adaptation(low_rank_copy(prior, 4), learning_rate=1e-2)
    before = prior.predict_noise(latents, timesteps, text)
    assert torch.equal(state.adapted.predict_noise(latents, timesteps, text, torch.ones(2, 16)), before)
    calls = prior.calls
    given = {"prior": prior, "conditioning": text, "cameras": torch.ones(2, 16)}
    losses = [float(state.train(latents, noise, timesteps, **given)) for _ in range(4)]
    assert prior.calls == calls + 4
    assert losses[-1] < losses[0]
    assert torch.equal(prior.predict_noise(latents, timesteps, text), before)
