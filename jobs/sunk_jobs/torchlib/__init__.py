"""What needs torch to import; programs import it inside their `main`, and nothing else does."""
