"""Published checkpoints that are converted: names and shapes at the real size, and what is refused."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file, save_file

from methods.weights import WeightsError
from metrics.models.checkpoint import read_checkpoint
from metrics.models.clip import ClipModel
from metrics.models.convert_hps import convert_hps
from metrics.models.convert_transformers import convert_transformers, rename_clip
from metrics.models.linear_head import LinearHead, layers_of, write_head

LAYOUTS = Path(__file__).parents[2] / "parity" / "layouts.py"


@pytest.fixture(scope="module")
def layouts() -> ModuleType:
    spec = importlib.util.spec_from_file_location("conversion_layouts", LAYOUTS)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def hps(layouts: ModuleType) -> dict[str, torch.Tensor]:
    return layouts.large_clip_weights(layouts.hps_shapes(layouts.LargeClip()), 1)


@pytest.fixture
def pick(layouts: ModuleType, tmp_path: Path) -> Path:
    """A folder with PickScore's published files, tiny."""
    folder = tmp_path / "pick"
    folder.mkdir()
    save_file(layouts.large_clip_weights(layouts.pick_shapes(layouts.LargeClip()), 1), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(layouts.LargeClip().transformers()))
    return folder


def test_the_published_names_and_shapes_are_those_of_open_clip_s_vit_h(layouts: ModuleType) -> None:
    """At the real size, without the memory: ViT-H/14 of open_clip's own table of architectures."""
    from open_clip.factory import get_model_config
    from open_clip.model import CLIP

    config = get_model_config("ViT-H-14")
    with torch.device("meta"):
        expected = {name: tuple(value.shape) for name, value in CLIP(**config).state_dict().items()}
    assert layouts.hps_shapes(layouts.VIT_H) == expected
    published = {name: torch.empty(shape, device="meta") for name, shape in layouts.pick_shapes(layouts.VIT_H).items()}
    assert {name: tuple(value.shape) for name, value in rename_clip(published, "x").items()} == expected
    assert layouts.VIT_H.open_clip() == config


def test_the_published_names_are_those_of_transformers(layouts: ModuleType) -> None:
    from transformers import CLIPConfig, CLIPModel

    sizes = layouts.LargeClip()
    with torch.device("meta"):
        model = CLIPModel(CLIPConfig(**sizes.transformers()))
    shapes = {name: tuple(value.shape) for name, value in model.named_parameters()}
    assert shapes == layouts.pick_shapes(sizes)


def test_a_whole_hps_checkpoint_is_converted_to_the_same_weights(
    hps: dict[str, torch.Tensor], layouts: ModuleType, tmp_path: Path
) -> None:
    torch.save({"state_dict": hps, "epoch": 3}, tmp_path / "hps.pt")
    convert_hps(tmp_path / "hps.pt", tmp_path / "out")
    found = load_file(tmp_path / "out" / "open_clip_model.safetensors")
    assert found.keys() == hps.keys()
    assert all(torch.equal(found[name], value) for name, value in hps.items())
    config = json.loads((tmp_path / "out" / "open_clip_config.json").read_text())
    assert config["model_cfg"] == layouts.LargeClip().open_clip()
    assert ClipModel(tmp_path / "out", preprocessing="tensor").tokens_cut("a duck " * 40) == 5


@pytest.mark.parametrize("missing", ["visual.conv1.weight", "logit_scale", "visual.transformer.resblocks.1.ln_2.bias"])
def test_another_checkpoint_is_refused(hps: dict[str, torch.Tensor], tmp_path: Path, missing: str) -> None:
    weights = {name: value for name, value in hps.items() if name != missing}
    torch.save({"state_dict": weights}, tmp_path / "hps.pt")
    with pytest.raises(WeightsError, match=r"hps\.pt: .*(missing)") as error:
        convert_hps(tmp_path / "hps.pt", tmp_path / "out")
    assert missing in str(error.value)
    assert not (tmp_path / "out").exists()


class _Call:
    def __reduce__(self):
        return (print, ("called",))


@pytest.mark.parametrize(
    ("content", "within", "message"),
    [
        ({"state_dict": _Call()}, "state_dict", "is not a file of weights only, or not whole"),
        ({"weights": {}}, "state_dict", "has no dictionary of weights at 'state_dict'"),
        ({"layers.0.weight": 3}, "", "has no dictionary of weights"),
        ([torch.zeros(1)], "", "has no dictionary of weights"),
    ],
)
def test_a_pickle_of_something_else_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: object, within: str, message: str
) -> None:
    torch.save(content, tmp_path / "file.pt")
    with pytest.raises(WeightsError, match=message) as error:
        read_checkpoint(tmp_path / "file.pt", within)
    assert "\n" not in str(error.value)
    assert "called" not in capsys.readouterr().out


def test_a_cut_file_is_one_line(hps: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save({"state_dict": hps}, tmp_path / "hps.pt")
    whole = (tmp_path / "hps.pt").read_bytes()
    (tmp_path / "hps.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="is not a file of weights only, or not whole") as error:
        convert_hps(tmp_path / "hps.pt", tmp_path / "out")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "clipseg"}, "model_type = 'clipseg', right is 'clip'"),
        ({"text": {"hidden_act": "quick_gelu"}}, "hidden_act ['gelu', 'quick_gelu'] and layer_norm_eps [1e-05]: a CL"),
        ({"text": {"layer_norm_eps": 1e-6}}, "layer_norm_eps [1e-06, 1e-05]"),
        ({"text": {"num_hidden_layers": 3}}, "weights are missing or of another shape: transformer.resblocks.2."),
        ({"projection_dim": 31}, "weights are missing or of another shape: text_projection"),
    ],
)
def test_another_clip_of_transformers_is_refused(pick: Path, config: dict[str, object], message: str) -> None:
    fields = json.loads((pick / "config.json").read_text())
    fields["text_config"] |= config.pop("text", {})
    (pick / "config.json").write_text(json.dumps(fields | config))
    with pytest.raises(WeightsError) as error:
        convert_transformers(pick, pick / "out")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (pick / "out").exists()


def test_quick_gelu_and_old_counters_are_read(pick: Path) -> None:
    fields = json.loads((pick / "config.json").read_text())
    for part in ("text_config", "vision_config"):
        del fields[part]["hidden_act"]  # transformers writes no default, which is QuickGELU
    (pick / "config.json").write_text(json.dumps(fields))
    weights = load_file(pick / "model.safetensors")
    weights["text_model.embeddings.position_ids"] = torch.arange(77)[None]  # of files of transformers 4
    save_file(weights, pick / "model.safetensors")
    convert_transformers(pick, pick / "out")
    assert json.loads((pick / "out" / "open_clip_config.json").read_text())["model_cfg"]["quick_gelu"] is True


@pytest.mark.parametrize("name", ["text_model.encoder.layers.0.self_attn.k_proj.weight", "audio_model.x", None])
def test_other_weights_of_transformers_are_refused(pick: Path, name: str | None) -> None:
    weights = load_file(pick / "model.safetensors")
    if name is None:
        (pick / "model.safetensors").write_bytes(b"cut")
    elif name in weights:
        del weights[name]
        save_file(weights, pick / "model.safetensors")
    else:
        save_file(weights | {name: torch.zeros(1)}, pick / "model.safetensors")
    with pytest.raises(WeightsError, match=name or "no model.safetensors that can be read") as error:
        convert_transformers(pick, pick / "out")
    assert "\n" not in str(error.value)


def test_the_published_head_is_read_at_its_size(layouts: ModuleType, tmp_path: Path) -> None:
    weights = layouts.head_weights(3)
    torch.save(weights, tmp_path / "head.pth")
    write_head(read_checkpoint(tmp_path / "head.pth"), tmp_path / "out", tmp_path / "head.pth")
    head = LinearHead(tmp_path / "out")
    assert head.widths == (768, 1024, 128, 64, 16, 1)
    features = torch.nn.functional.normalize(torch.ones(2, 768))
    value = torch.nn.functional.normalize(torch.ones(1, 768)).double()
    for number in (0, 2, 4, 6, 7):
        value = value @ weights[f"layers.{number}.weight"].double().T + weights[f"layers.{number}.bias"].double()
    assert head.apply(features) == pytest.approx([float(value)] * 2, rel=1e-4)


LAYER = {"layers.0.weight": torch.zeros(1, 4), "layers.0.bias": torch.zeros(1)}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "layers.0.weight is missing or not one of their names"),
        ({"layers.0.weight": torch.zeros(1, 4)}, "layers.0.bias is missing"),
        (LAYER | {"fc.weight": torch.zeros(1)}, "fc.weight is missing or not one of their names"),
        (LAYER | {"layers.1.weight": torch.zeros(1, 2), "layers.1.bias": torch.zeros(1)}, "layers 1×4, 1×2 do not"),
        ({"layers.0.weight": torch.zeros(2, 4), "layers.0.bias": torch.zeros(2)}, "layers 2×4 do not follow one"),
        ({"layers.0.weight": torch.zeros(4), "layers.0.bias": torch.zeros(1)}, "layers 4 do not follow one another"),
    ],
)
def test_what_is_not_a_head_is_refused(weights: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(WeightsError) as error:
        layers_of(weights, "here")
    assert str(error.value).startswith("here: ")
    assert message in str(error.value)


def test_a_folder_without_a_head_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("x")
    with pytest.raises(WeightsError, match=r"no linear_head.safetensors that can be read") as error:
        LinearHead(tmp_path)
    assert "\n" not in str(error.value)
