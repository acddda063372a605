"""Content-Security-Policies of pages and of files, for responses of the server and for exported files."""

# of a page, also in its own `meta` element, where frame-ancestors has no effect and is reported as a mistake
PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src * data:; media-src *; "
    "base-uri 'none'; form-action 'none'"
)
SENT_PAGE = f"{PAGE}; frame-ancestors 'none'"
FILE = "default-src 'none'; style-src 'unsafe-inline'; sandbox"  # of a file beside an article that may hold scripts
