"""What turns a prompt into a scene: distillation methods, inversion strategies, priors and scenes."""
