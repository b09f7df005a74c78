"""Clients that download, and the comparison of what they got."""
