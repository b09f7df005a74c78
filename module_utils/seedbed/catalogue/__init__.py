"""From the inventory to specs, items and what is published."""
