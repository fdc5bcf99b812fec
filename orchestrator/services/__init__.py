"""Use cases: start, resume, abort, list, detail and so on. Take an actor, return frozen values, know no HTTP."""
