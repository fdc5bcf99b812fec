"""What runs in the contenders' own processes, each in its own environment."""
