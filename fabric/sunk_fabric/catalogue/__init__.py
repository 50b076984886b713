"""The catalogue of checks as data, one module for every group."""
