"""One Transmission daemon brought to its desired state."""
