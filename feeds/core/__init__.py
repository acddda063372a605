"""The rules of syndication. Pure: no I/O, no clock and no threads; texts and times are passed in."""
