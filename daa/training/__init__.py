"""Training runs: typed configurations, a loop that resumes bit for bit, checkpoints, and what a run leaves behind."""
