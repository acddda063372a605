"""Parses article files (`article`) and renders their bodies to sanitised HTML (`content`).

The two steps are separate because every article is parsed, but only the articles in requested documents are rendered.
"""
