"""Publishes a folder of Markdown articles as RSS 2.0, Atom 1.0 and JSON Feed 1.1.

Importing the package is cheap: it imports none of its modules. docs/architecture.md explains them.

A package imports only packages to its right: cli → web, export, publish, migrate → pages, stats → render → catalog,
content, config, highlight, hooks, parallel, logs → compression, confined → core. Packages between the same two arrows
don't import each other.
"""

__version__ = "0.1.0"
