"""From observations to verdicts and their report."""
