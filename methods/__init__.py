"""The way from a prompt to a scene: distillation methods, inversion strategies, priors and scenes."""
