"""The bytes of a torrent's content on one host."""
