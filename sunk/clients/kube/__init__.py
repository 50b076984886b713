"""Kubernetes, spoken to on raw bytes, behind one protocol."""
