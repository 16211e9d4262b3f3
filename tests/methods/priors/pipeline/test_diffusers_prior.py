"""The loading path on a pipeline of random weights in diffusers' own folder format, without a hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from methods.contracts import HoldsTensors
from methods.priors import priors
from methods.priors.loading import load_prior
from methods.priors.pipeline.diffusers_prior import DiffusersPrior
from methods.priors.pipeline.patch_codec import PatchCodec
from methods.registry import UnknownNameError
from methods.weights import WeightsError, verify_weights, write_card
from prompts.toybox import write_clip_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pipeline")
    with torch.random.fork_rng():
        unet = UNet2DConditionModel(
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
        config = CLIPTextConfig(
            vocab_size=231, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=24, bos_token_id=229, eos_token_id=230, pad_token_id=230,
        )  # fmt: skip
        text_encoder = CLIPTextModel(config)
    unet.save_pretrained(path / "unet")
    text_encoder.save_pretrained(path / "text_encoder")
    images = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    PatchCodec.fit(images, patch=4, channels=8).save(path / "vae")
    write_clip_tokenizer(path / "tokenizer")
    index = {"unet": "UNet2DConditionModel", "vae": "PatchCodec", "text_encoder": "CLIPTextModel"}
    index |= {"tokenizer": "CLIPTokenizer"}
    (path / "model_index.json").write_text(json.dumps({name: ["x", kind] for name, kind in index.items()}))
    _scheduler("epsilon").save_pretrained(path / "scheduler")
    write_card(path, guidance_scale=2.5, negative_prompt="bad photo")
    return path


def _scheduler(prediction_type: str, **changed: bool) -> DDIMScheduler:
    return DDIMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, prediction_type=prediction_type, **changed
    )


def test_card_and_shapes_reach_the_prior(folder) -> None:
    prior = load_prior(str(folder))
    assert (prior.guidance_scale, prior.negative_prompt) == (2.5, "bad photo")
    assert prior.resolution == 16
    assert prior.weights_sha256 == verify_weights(folder)
    assert prior.embed(["a red car", ""]).sequence.shape == (2, 24, 16)


def test_encode_resizes_and_keeps_the_gradient(folder) -> None:
    prior = load_prior(str(folder))
    rgb = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0), requires_grad=True)
    latents = prior.encode(rgb)
    assert latents.shape == (2, 8, 4, 4)
    (gradient,) = torch.autograd.grad(latents.square().sum(), rgb)
    assert bool((gradient != 0).any(dim=1).all())


def test_bounded_latents_show_possible_colours(folder) -> None:
    prior = load_prior(str(folder))
    wild = 5 * torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(prior.bound(wild), prior.encode(prior.decode(wild)))


def test_noise_is_what_the_network_predicts_in_each_parametrisation(folder) -> None:
    """The same network read as ε, v and x0 must agree with diffusers' own conversion."""
    noisy = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    timesteps = torch.tensor([100, 100])
    raw = None
    for kind in ("epsilon", "v_prediction", "sample"):
        _scheduler(kind).save_pretrained(folder / "scheduler")
        write_card(folder, guidance_scale=2.5, negative_prompt="bad photo")
        prior = load_prior(str(folder))
        noise = prior.predict_noise(noisy, timesteps, prior.embed(["a red car"] * 2))
        raw = noise if raw is None else raw
        alpha = prior.alphas_cumprod[100]
        x0 = (noisy - (1 - alpha).sqrt() * noise) / alpha.sqrt()
        scheduler = _scheduler(kind, clip_sample=False)
        scheduler.set_timesteps(10)
        theirs = scheduler.step(raw, 100, noisy).pred_original_sample
        torch.testing.assert_close(x0, theirs, rtol=1e-4, atol=1e-4)
        assert (prior.calls, prior.rows) == (1, 2)
    _scheduler("epsilon").save_pretrained(folder / "scheduler")
    write_card(folder, guidance_scale=2.5, negative_prompt="bad photo")


def test_it_stays_on_the_cpu_unless_another_device_is_set(folder, monkeypatch) -> None:
    """A small pipeline's numbers are those of the CPU, whatever the machine has."""
    monkeypatch.delenv("SDIBENCH_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert load_prior(str(folder)).device.type == "cpu"


def test_weights_that_differ_from_the_card_are_refused(folder) -> None:
    file = folder / "tokenizer" / "merges.txt"
    content = file.read_bytes()
    file.write_bytes(content + b"x")
    verify_weights.cache_clear()
    with pytest.raises(WeightsError, match=r"merges.txt: SHA-256 is .* but card.json says"):
        load_prior(str(folder))
    file.write_bytes(content)
    verify_weights.cache_clear()


def test_an_unknown_name_is_answered_with_the_most_similar() -> None:
    assert {"gaussian", "toybox"} <= set(priors.names())
    with pytest.raises(UnknownNameError, match="unknown prior 'toybx': did you mean toybox"):
        load_prior("toybx")


def held(prior: DiffusersPrior) -> int:
    return sum(tensor.nbytes for tensor in prior.held_tensors())


def test_few_texts_are_kept_in_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of all prompts of a study would be in the memory of its last cells, and not of its first."""
    monkeypatch.setattr("methods.priors.pipeline.diffusers_prior._TEXTS", 3)
    prior, encoded = DiffusersPrior(folder), []
    embed = prior._family.embed
    monkeypatch.setattr(prior._family, "embed", lambda *given: encoded.append(1) or embed(*given))
    texts = [f"a {colour} car" for colour in ("red", "green", "blue", "black", "white")]
    whole = prior.embed(texts)
    assert len(whole) == len(encoded) == 5
    before = held(prior)
    assert torch.equal(prior.embed(texts[2:]).sequence, whole.sequence[2:])
    assert (len(encoded), held(prior)) == (5, before)
    prior.embed([texts[2]])  # the last one that was asked for
    prior.embed([texts[0], texts[2]])
    assert len(encoded) == 6
    prior.embed([texts[3]])
    assert len(encoded) == 7


def test_what_it_holds_is_its_networks_and_texts(folder: Path) -> None:
    prior = DiffusersPrior(folder)
    networks = [prior._network, *prior._text_encoders().values()]
    weights = sum(tensor.nbytes for each in networks for tensor in (*each.parameters(), *each.buffers()))
    before = held(prior)
    assert before == weights > 0
    text = prior.embed(["a text that nobody has embedded"])
    assert held(prior) == before + text.sequence.nbytes
    assert isinstance(prior, HoldsTensors)
