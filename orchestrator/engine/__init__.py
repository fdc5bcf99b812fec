"""Claims, runs and records steps, and recovers what died. `docs/design.md` explains the protocol."""
