"""Scores against what is known to be wrong: detection, its baselines, and what became of them."""
