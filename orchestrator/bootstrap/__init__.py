"""Builds real things from the settings and hands them over. The only room that knows all floors."""
