"""Publishes a folder of Markdown articles as RSS 2.0, Atom 1.0 and JSON Feed 1.1.

Importing the package is cheap: it imports none of its modules. docs/architecture.md explains them.
"""

__version__ = "0.1.0"
