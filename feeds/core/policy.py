"""The values of the Content-Security-Policy header, for responses of the server and for exported files."""

# of a page; also for its `meta` element, where browsers ignore frame-ancestors and report it as a mistake
PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; font-src 'self'; img-src * data:; "
    "media-src *; base-uri 'none'; form-action 'none'"
)
PAGE_HEADER = f"{PAGE}; frame-ancestors 'none'"
FILE = "default-src 'none'; style-src 'unsafe-inline'; sandbox"  # of an article's file that may contain scripts
