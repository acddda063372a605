"""Parse article files (`article`) and render their bodies to sanitized HTML (`content`).

The two steps are separate because every article is parsed, but only the articles in requested documents are rendered.
"""
