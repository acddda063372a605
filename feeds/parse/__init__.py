"""The text of one file -> an Article (`article`), and an Article's body -> what is fit for a reader (`content`).

The two are apart because the first is needed of every article and the second only of those that a document shows. This
room reads no file and no clock.
"""
