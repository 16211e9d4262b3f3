"""The models of a suite, each checked when it is loaded: its configuration, and its scores of known images."""

from __future__ import annotations

import numpy as np

from metrics.models.clip import ClipModel, load_clip
from metrics.models.clip_folder import check_facts
from metrics.models.known_images import PROMPT, check_known_images
from metrics.models.linear_head import LinearHead, load_head
from metrics.models.reward import RewardModel, load_reward
from metrics.suites import Role, Suite


def suite_clip(suite: Suite, role: Role, device: str = "cpu") -> ClipModel:
    """Load the CLIP for ``role``, once for all metrics.

    Raises:
        WeightsMissingError: If its weights are missing.
        WeightsError: If they, their configuration or their scores of the known images are not the right ones.
    """
    folder, model = suite.folder(role), suite.models[role]
    check_facts(folder, model)
    clip = load_clip(folder, device, model.preprocessing)

    def score(rgb: np.ndarray, prompt: str) -> np.ndarray:
        cosines: np.ndarray = (clip.image_features(rgb) @ clip.text_features([prompt])[0]).double().numpy()
        return 100 * cosines

    check_known_images(suite, role, (clip.weights_sha256, model.preprocessing, device), score)
    return clip


def suite_reward(suite: Suite, device: str = "cpu") -> RewardModel:
    """Load the reward model, once.

    Raises:
        WeightsMissingError: If its weights are missing.
        WeightsError: If they or their scores of the known images are not the right ones.
    """
    reward = load_reward(suite.folder("reward"), device)
    check_known_images(suite, "reward", (reward.weights_sha256, device), reward.rewards)
    return reward


def suite_aesthetic(suite: Suite, device: str = "cpu") -> tuple[ClipModel, LinearHead]:
    """Load the aesthetic head, and the CLIP whose image features it reads.

    Raises:
        WeightsMissingError: If the weights of one of them are missing.
        WeightsError: If they or their scores of the known images are not the right ones, or they do not fit together.
    """
    folder = suite.folder("aesthetic")
    clip, head = suite_clip(suite, "aesthetic_clip", device), load_head(folder)
    head.check_width(clip.text_features([PROMPT]).shape[1])

    def score(rgb: np.ndarray, prompt: str) -> np.ndarray:
        return head.apply(clip.image_features(rgb))

    check_known_images(suite, "aesthetic", (head.weights_sha256, clip.weights_sha256, device), score)
    return clip, head


def load_role(suite: Suite, role: Role) -> None:
    """Load the model for ``role`` on the CPU, with its checks; nothing for a role that is not a model."""
    if role == "reward":
        suite_reward(suite)
    elif role == "aesthetic":
        suite_aesthetic(suite)
    elif role != "bert":
        suite_clip(suite, role)
