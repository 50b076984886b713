"""Which node is where, and which ranks go to it."""
