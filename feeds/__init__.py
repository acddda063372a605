"""Publishes a folder of Markdown articles as RSS 2.0, Atom 1.0 and JSON Feed 1.1.

Importing the package costs nothing: each room is imported by whoever needs it. docs/architecture.md is the map.
"""

__version__ = "0.1.0"
