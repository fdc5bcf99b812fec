"""The outside world of the examples on one port: an inventory (ESDB) and a network controller (NSO), with faults."""
