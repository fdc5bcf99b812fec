"""Measures the orchestrator beside its peers and beside what it stands on, interleaved in one run."""
