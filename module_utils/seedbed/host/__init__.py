"""The other things that a host runs."""
