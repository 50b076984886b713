"""The sunk command: assembles, parses, prints. One file per group of commands."""
