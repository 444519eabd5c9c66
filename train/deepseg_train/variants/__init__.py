"""Smaller or portable variants of a finished model, each held against the model: what it saves, and what it costs in accuracy."""
