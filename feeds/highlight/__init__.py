"""Finds the tokens of program code, such as keywords and strings, with Pygments, so that pages can colour them.

Pygments consists of regular expressions without a limit on time, and articles may be hostile, so it runs in a confined
process (docs/decisions/036). `highlighter` is the parent's side. The process replies with the kinds and lengths of
tokens, not with HTML. So even if it is exploited, the text of a page stays the text of the article.

This file imports nothing, so that the process starts fast.
"""
