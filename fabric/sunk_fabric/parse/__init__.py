"""Strict parsers of what the tools print; pure, one module for every format.

Every module has ``parse``, from bytes to `Parsed`: the value, the lines that fit no rule, and the
damage that was seen. Nothing raises on bad input, and bad input is never sound.
"""
