"""Active tests: traffic between hosts, planned, bounded, cleaned up after, and judged."""
