"""The networks that score: loaded once from local folders, checked against their cards, always fp32 and in eval mode."""
