"""From a description to text and objects; pure, deterministic bytes."""
