"""Runs the command line: `python -m feeds` is the same program as the console script."""

from feeds.cli import main

if __name__ == "__main__":
    main()
