"""A durable workflow orchestrator for customer subscriptions."""

__version__ = "0.1.0"
