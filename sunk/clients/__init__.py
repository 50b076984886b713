"""The seams to other systems; each speaks model types and translates errors once."""
