"""Collecting: what is asked, over what, and how it is kept."""
