"""Experiments that act on forgetting: lists of tasks, run by a plain loop, resumable."""
