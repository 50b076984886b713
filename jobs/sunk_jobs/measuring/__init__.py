"""Measuring collectives, whatever library does them."""
