"""The demo: a client from outside, which knows REST, Flower and the lab, and imports nothing of the orchestrator."""
