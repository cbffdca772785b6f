"""Screens livestreams in real time for known terrorist and violent extremist content."""

__version__ = "0.1.0"
