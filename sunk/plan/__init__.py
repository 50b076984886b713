"""Verbs of the domain, pure: (desired, observed) -> actions. No input or output, no clock."""
