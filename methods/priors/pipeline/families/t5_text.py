"""T5's hidden states as conditioning."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from methods.conditioning import Conditioning


def embed_t5(tokens: Tensor, encoder: Any) -> Conditioning:
    """The last hidden states ``(b n d)`` of T5, and the mask ``(b n)`` of the tokens that are not padding.

    Args:
        tokens: ``(b n)``.
        encoder: A ``T5EncoderModel``.
    """
    mask = (tokens != encoder.config.pad_token_id).long()
    # transformers looks at the values of a mask, which shapes alone (device "meta") do not have
    read = None if tokens.is_meta else mask
    return Conditioning(encoder(tokens, attention_mask=read).last_hidden_state.float(), mask=mask.float())
