"""Acceptance runs, gates and the handoff report."""
