"""A trial of a pipeline's files: each is loaded as a run loads it, one after the other, and let go."""

from __future__ import annotations

from pathlib import Path

import torch

from methods.priors.pipeline.folder import check_pipeline, family_in
from methods.priors.pipeline.networks import load_network, network_class
from methods.priors.pipeline.patch_codec import PatchCodec
from methods.priors.pipeline.prompt_reader import PromptReader


def open_pipeline(folder: Path) -> None:
    """Load tokenizers and networks of a pipeline, on the CPU in half precision, to see whether they can be.

    Args:
        folder: The pipeline folder.

    Raises:
        WeightsError: If a file cannot be read, or its weights are not those that the configuration describes.
    """
    classes = check_pipeline(folder, str(folder))
    PromptReader(folder)
    # the largest last: an error in a small one shows sooner
    for name in reversed(family_in(folder).networks()):
        if classes[name] == "PatchCodec":
            PatchCodec.load(folder / name)
        else:
            load_network(network_class(classes[name]), folder / name, torch.float16)
