"""Subscriptions, their products and blocks: models, lifecycle, relations and the rules of use."""
