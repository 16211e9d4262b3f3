"""The mathematics of diffusion on any prior: guidance, Perp-Neg, sampling and trainable copies."""
