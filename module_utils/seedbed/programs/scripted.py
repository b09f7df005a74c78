"""Scripted peers, trackers and web seeds as a program: package scripted is what it does."""

from __future__ import annotations

from ansible.module_utils.seedbed.scripted.daemon import main

__all__ = ["main"]
