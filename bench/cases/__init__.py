"""The cases, each with its contenders in turn (A B A B), so that what the machine does at a time strikes all."""
