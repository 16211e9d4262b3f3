"""VSD's LoRA: its inputs, its training, and its continuation from a checkpoint bit for bit."""

from __future__ import annotations

import io

import pytest
import torch

from methods.camera_range import CameraRange
from methods.cameras import evaluation_ring, sample_cameras
from methods.contracts import Rendering, View
from methods.diffusion.adaptation import camera_matrices
from methods.distillation.vsd import VSD
from methods.distillation.vsd_lookahead import VSDLookahead


@pytest.fixture
def step(prior, prompt, make_streams):
    """Takes a step of a method with its state on given images; returns the gradient of the latents."""

    def take(method, state, rgb, seed=0, progress=0.0, prompt=prompt, streams=None):
        view = View(Rendering(rgb, rgb[:, :1], rgb[:, :1]), evaluation_ring(len(rgb)), prior)
        streams = streams or make_streams(seed)
        out = method(view, prior=prior, prompt=prompt, progress=progress, streams=streams, state=state)
        return torch.autograd.grad(out.loss, view.latents)[0], out

    return take


class Recorder:
    """An adapted prior that records its arguments."""

    def __init__(self, inner) -> None:
        self.inner, self.texts, self.cameras, self.timesteps = inner, [], [], []
        self.parameters = inner.parameters

    def predict_noise(self, latents, timesteps, conditioning, cameras):
        self.texts.append(conditioning)
        self.cameras.append(cameras)
        self.timesteps.append(timesteps)
        return self.inner.predict_noise(latents, timesteps, conditioning, cameras)


def test_at_first_the_lora_is_the_prior_and_unguided_vsd_is_still(prior, rgb, step) -> None:
    method = VSD(guidance_scale=1.0)
    gradient, _ = step(method, method.start(prior), rgb)
    assert not gradient.any()


def test_the_lora_learns_the_renders_of_each_camera(prior, prompt, step, make_streams) -> None:
    """The renders are the prior's own images moved by a colour per view: ε_φ has its optimum at exactly that."""
    moved = torch.tensor([[0.4, -0.3, 0.2], [-0.2, 0.3, -0.4]])
    generator, streams = torch.Generator().manual_seed(1), make_streams()
    method = VSD(guidance_scale=1.0, lora_learning_rate=0.02)
    state = method.start(prior)
    losses, learnt = [], []
    matrices = camera_matrices(evaluation_ring(2))
    for _ in range(600):
        fresh = prior.deviation * torch.randn(2, 3, 16, 16, generator=generator)
        latents = prompt.positive.sequence[:, 0, :, None, None] + moved[..., None, None] + fresh
        _, out = step(method, state, ((latents + 1) / 2).requires_grad_(), streams=streams)
        losses.append(out.diagnostics["lora_loss"])
        learnt.append((matrices @ state["lora"].adapted.turn.T + state["lora"].adapted.shift).detach())
    # steps of constant size oscillate around the optimum: their mean is compared
    torch.testing.assert_close(torch.stack(learnt[300:]).mean(dim=0), moved, rtol=0, atol=0.06)
    assert sum(losses[-50:]) < sum(losses[:50])


def test_the_largest_t_drops_abruptly(prior, rgb, step) -> None:
    method = VSD()
    seen = {}
    for progress in (0.0, 0.2, 0.21, 1.0):
        state = method.start(prior)
        state["lora"].adapted = Recorder(state["lora"].adapted)
        for seed in range(100):
            step(method, state, rgb, seed=seed, progress=progress)
        updates = torch.cat(state["lora"].adapted.timesteps[::2])
        seen[progress] = int(updates.min()), int(updates.max())
        assert int(torch.cat(state["lora"].adapted.timesteps[1::2]).max()) > 990  # its own training sees every t
    assert all(low >= 20 for low, _ in seen.values())
    assert all(900 < seen[progress][1] <= 980 for progress in (0.0, 0.2))
    assert all(450 < seen[progress][1] <= 500 for progress in (0.21, 1.0))


def test_a_tenth_of_the_views_train_without_their_camera(prior, rgb, step, make_streams) -> None:
    method = VSD()
    state = method.start(prior)
    state["lora"].adapted = Recorder(state["lora"].adapted)
    streams = make_streams()
    for _ in range(400):
        step(method, state, rgb, streams=streams)
    matrices = camera_matrices(evaluation_ring(2))
    assert all(torch.equal(cameras, matrices) for cameras in state["lora"].adapted.cameras[::2])
    without = torch.stack([(cameras == 0).all(dim=1) for cameras in state["lora"].adapted.cameras[1::2]]).float()
    assert 0.06 < float(without.mean()) < 0.14  # four standard deviations
    assert bool((without.sum(dim=1) == 1).any())  # for one view and not the other


def test_the_lora_reads_the_prompt_without_view_words(prior, prompt, rgb, step) -> None:
    method = VSD()
    plain = prior.embed(["plain", "words"])
    for given, read in ((plain, plain), (None, prompt.positive)):
        state = method.start(prior)
        state["lora"].adapted = Recorder(state["lora"].adapted)
        step(method, state, rgb, prompt=prompt._replace(plain=given))
        assert len(state["lora"].adapted.texts) == 2
        assert all(torch.equal(text.sequence, read.sequence) for text in state["lora"].adapted.texts)


def test_a_checkpoint_continues_bit_for_bit(prior, rgb, step) -> None:
    method = VSD(lora_learning_rate=0.1)
    state = method.start(prior)
    for seed in range(3):
        step(method, state, rgb, seed=seed)
    file = io.BytesIO()
    torch.save(state["lora"].state_dict(), file)
    through = [step(method, state, rgb, seed=seed)[0] for seed in (3, 4)][1]
    file.seek(0)
    resumed = method.start(prior)
    resumed["lora"].load_state_dict(torch.load(file, weights_only=True))
    again = [step(method, resumed, rgb, seed=seed)[0] for seed in (3, 4)][1]
    fresh = [step(method, method.start(prior), rgb, seed=seed)[0] for seed in (3, 4)][1]
    assert torch.equal(again, through)
    assert not torch.equal(again, fresh)


def test_the_checkpoint_of_another_network_is_refused(prior) -> None:
    state = VSD().start(prior)["lora"]
    saved = state.state_dict()
    saved["adapted"].pop("shift")
    with pytest.raises(ValueError, match="belong to another network or rank"):
        state.load_state_dict(saved)


def test_camera_matrices_are_those_of_the_rays() -> None:
    """In the camera's own frame the rays are (x tan, y tan, −1) over the pixels' grid, x right and y up."""
    cameras = sample_cameras(CameraRange(fovy_deg=(30.0, 60.0)), 4, torch.Generator().manual_seed(0))
    matrices = camera_matrices(cameras).view(4, 4, 4)
    rays = cameras.rays(3)
    inside = torch.einsum("bij,bhwi->bhwj", matrices[:, :3, :3], rays.directions)
    reach = torch.tan(torch.deg2rad(cameras.fovy_deg) / 2)
    grid = torch.tensor([-2 / 3, 0, 2 / 3])
    expected = torch.stack([grid.expand(3, 3), -grid[:, None].expand(3, 3), torch.zeros(3, 3)], dim=-1)
    expected = reach[:, None, None, None] * expected - torch.tensor([0.0, 0.0, 1.0])
    torch.testing.assert_close(inside / -inside[..., 2:], expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(matrices[:, :3, 3], rays.origins[:, 0, 0])
    assert torch.equal(matrices[:, 3], torch.tensor([0.0, 0.0, 0.0, 1.0]).expand(4, 4))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("camera_dropout", 1.5, "camera_dropout: 1.5 is not a probability"), ("lora_rank", 0, "lora_rank: 0 is not")],
)
def test_impossible_settings_are_named(field, value, message) -> None:
    with pytest.raises(ValueError, match=message):
        VSD(**{field: value})


def test_looking_ahead_is_the_update_of_the_trained_copy_after_its_step(prior, prompt, rgb, step, make_streams) -> None:
    """The same draws in the same order, with training and update exchanged."""
    ahead = VSD(lookahead=True, lora_learning_rate=0.1)
    state = ahead.start(prior)
    gradient, out = step(ahead, state, rgb)

    plain, other, streams = VSD(lora_learning_rate=0.1), ahead.start(prior), make_streams()
    before, _ = step(plain, other, rgb, streams=streams)
    view = View(Rendering(rgb, rgb[:, :1], rgb[:, :1]), evaluation_ring(2), prior)
    cameras = camera_matrices(evaluation_ring(2))
    call = {"prior": prior, "adapted": other["lora"].adapted, "prompt": prompt, "cameras": cameras}
    after, _ = plain.update(view.clean, out.noise, out.timesteps, **call)
    torch.testing.assert_close(gradient, after / 2)
    assert not torch.allclose(gradient, before)
    trained = [each["lora"].adapted.parameters() for each in (state, other)]
    assert all(torch.equal(trained[0][name], trained[1][name]) for name in trained[0])


def test_the_lookahead_preset_is_the_flag(prior, rgb, step) -> None:
    gradients = []
    for method in (VSD(lookahead=True), VSDLookahead(), VSD()):
        gradients.append(step(method, method.start(prior), rgb)[0])
    assert torch.equal(*gradients[:2])
    assert not torch.equal(*gradients[1:])
