"""The catalogue of checks, and the functions that answer them; pure."""
