"""Nouns of the domain: frozen, standard library only, no input or output, no clock."""
