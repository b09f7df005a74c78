"""Peers, trackers and web seeds that behave, and misbehave, by script, and testify to what they saw."""
