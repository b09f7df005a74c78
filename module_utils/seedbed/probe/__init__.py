"""Asks trackers and peers from outside."""
