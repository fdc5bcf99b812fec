"""One machine, no set-up: PostgreSQL and Valkey from wheels, their data folder, and a supervisor of processes.

Nothing here knows about migrations, settings or the command line; `machine.embedded_machine` is the way in.
"""
