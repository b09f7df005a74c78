"""What a lab leaves for whoever was not there: packets, logs and states on one page, and its numbers."""
