"""Python and the operating system; nothing of BitTorrent."""
