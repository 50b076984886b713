"""Checks, verdicts, evidence and the judge: pure, shared by validator and report."""
