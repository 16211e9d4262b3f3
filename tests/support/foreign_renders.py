"""Folders of renders as other programs write them, small; made after reading their writers, without their code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 8


def colours(view: int, side: int = SIDE) -> np.ndarray:
    """An image ``(side side 3)`` that differs from view to view, in every byte from its neighbours."""
    y, x = np.mgrid[:side, :side]
    return np.stack([20 * x + view, 15 * y + 3 * view, 200 - 9 * x - 2 * view], axis=-1).astype(np.uint8)


def normals(view: int, side: int = SIDE) -> np.ndarray:
    return colours(view, side)[::-1, :, ::-1].copy()


def opacity(view: int, side: int = SIDE) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    return (25 * x + 3 * y + view).astype(np.uint8)


def save(pixels: np.ndarray, path: Path, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def write_frames(folder: Path, views: int = 4, *, name: str = "{}.png", side: int = SIDE) -> Path:
    for view in range(views):
        save(colours(view, side), folder / name.format(view))
    return folder


def write_threestudio_trial(
    trial: Path,
    prompt: str = "a blue duck",
    views: int = 4,
    *,
    seed: int = 0,
    step: int = 10000,
    system: str = "dreamfusion-system",
    panels: Sequence[str] = ("rgb", "normal", "opacity"),
    stated_views: int | None = None,
) -> Path:
    """A trial, after ``test_step``, ``save_image_grid``, ``ConfigSnapshotCallback`` and ``launch.py``."""
    of_kind = {
        "rgb": colours,
        "normal": normals,
        "opacity": lambda view: np.repeat(opacity(view)[..., None], 3, axis=-1),
    }
    for view in range(views):
        grid = np.concatenate([of_kind[panel](view) for panel in panels], axis=1)
        save(grid, trial / "save" / f"it{step}-test" / f"{view}.png")
    save(colours(0), trial / "save" / f"it{step}-0.png")  # of the validation
    (trial / "configs").mkdir(parents=True, exist_ok=True)
    (trial / "configs" / "parsed.yaml").write_text(
        f"name: dreamfusion-sd\ntag: {prompt.replace(' ', '_')}\nseed: {seed}\n"
        f"data_type: random-camera-datamodule\ndata:\n  n_test_views: {stated_views or views}\n"
        "  eval_elevation_deg: 15.0\n  eval_camera_distance: 2.0\n  eval_fovy_deg: 70.0\n"
        f"system_type: {system}\nsystem:\n  prompt_processor:\n    prompt: {prompt}\n"
        "  guidance_type: stable-diffusion-guidance\n  guidance:\n    guidance_scale: 100.0\n"
        "    pretrained_model_name_or_path: stabilityai/stable-diffusion-2-1-base\n"
        f"trainer:\n  max_steps: {step}\n"
    )
    (trial / "cmd.txt").write_text(
        f"python launch.py --config configs/a.yaml --train --gpu 0 system.prompt_processor.prompt={prompt} seed={seed} "
        f"trainer.max_steps={step}\nNamespace(config='configs/a.yaml', gpu='0', train=True, validate=False)\n"
    )
    return trial


def write_gpteval3d(root: Path, method: str, prompts: Sequence[str], views: int = 4, *, seeds: int = 1) -> Path:
    """A tournament's folder after ``assets/data_format.md``; returns the method's."""
    (root / "methods").mkdir(parents=True, exist_ok=True)
    (root / "prompts.json").write_text(json.dumps(list(prompts)))
    for number in range(len(prompts)):
        for seed in range(seeds):
            for view in range(views):
                place = root / "methods" / method / str(number) / str(seed)
                save(colours(view + 5 * number), place / f"rgb_{view}.png")
                save(normals(view + 5 * number), place / f"normal_{view}.png")
    return root / "methods" / method


def write_video(path: Path, frames: Sequence[np.ndarray], codec: str = "mpeg4") -> Path:
    """A video of images with even sides; needs the package av."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 4_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def write_gif(path: Path, frames: Sequence[np.ndarray]) -> Path:
    images = [Image.fromarray(frame) for frame in frames]
    path.parent.mkdir(parents=True, exist_ok=True)
    images[0].save(path, save_all=True, append_images=images[1:], duration=40, loop=0)
    return path
