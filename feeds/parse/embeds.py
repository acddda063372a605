"""Convert frames and scripts that embed a player, a post or code to links to the page that shows it."""

import re
from html import escape, unescape
from urllib.parse import unquote, urlsplit

from feeds.text import absolute

# the address of a player or widget, the page about it, and what that shows
_PAGES: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(rf"https?://(?:www\.)?{pattern}"), page, shows)
    for pattern, page, shows in (
        (
            r"youtube(?:-nocookie)?\.com/embed/videoseries\?(?:.*&)?list=([\w-]+).*",
            r"https://www.youtube.com/playlist?list=\1",
            "Playlist on YouTube",
        ),
        (
            r"youtube(?:-nocookie)?\.com/embed/live_stream\?(?:.*&)?channel=([\w-]+).*",
            r"https://www.youtube.com/channel/\1/live",
            "Live stream on YouTube",
        ),
        (r"youtube(?:-nocookie)?\.com/embed/([\w-]+).*", r"https://www.youtube.com/watch?v=\1", "Video on YouTube"),
        (r"player\.vimeo\.com/video/(\d+)\?(?:.*&)?h=(\w+).*", r"https://vimeo.com/\1/\2", "Video on Vimeo"),
        (r"player\.vimeo\.com/video/(\d+).*", r"https://vimeo.com/\1", "Video on Vimeo"),
        (r"dailymotion\.com/embed/video/(\w+).*", r"https://www.dailymotion.com/video/\1", "Video on Dailymotion"),
        (
            r"open\.spotify\.com/embed(?:-podcast)?/(\w+)/(\w+).*",
            r"https://open.spotify.com/\1/\2",
            "Listen on Spotify",
        ),
        (r"w\.soundcloud\.com/player/?\?(?:.*&)?url=([^&]+).*", r"\1", "Listen on SoundCloud"),
        (r"codepen\.io/([\w-]+)/embed/(?:preview/)?(\w+).*", r"https://codepen.io/\1/pen/\2", "Code on CodePen"),
        (r"jsfiddle\.net/((?:[\w-]+/){1,3})embed(?:ded)?(?:/.*)?", r"https://jsfiddle.net/\1", "Code on JSFiddle"),
        (
            r"asciinema\.org/a/(\w+)(?:/embed.*|/iframe.*|\.js.*)",
            r"https://asciinema.org/a/\1",
            "Recording on asciinema",
        ),
        (r"gist\.github\.com/([\w-]+/\w+)\.js.*", r"https://gist.github.com/\1", "Code on GitHub Gist"),
        (r"gitlab\.com/(.+/snippets/\d+)\.js.*", r"https://gitlab.com/\1", "Code on GitLab"),
        (r"([\w.-]+)/(@[\w.-]+/\d+)/embed.*", r"https://\1/\2", "Post on Mastodon"),
    )
)
_SCRIPT = re.compile(r"<script\b([^<>]*)>\s*</script\s*>", re.IGNORECASE)
_SRC = re.compile(r"\bsrc\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"']+))", re.IGNORECASE)
# scripts that only change how a quotation of a post looks, which stays
_DECORATION = re.compile(
    r"platform\.(?:twitter|x)\.com/widgets\.js|instagram\.com/(?:static/[\w.-]+/)?embeds?\.js|tiktok\.com/embed\.js"
    r"|embed\.bsky\.app/|embed\.redditmedia\.com/|/embed\.js",
    re.IGNORECASE,
)
_COMPONENT = re.compile(r"<lite-(youtube|vimeo)\b([^<>]*)>(?:\s*</lite-\1>)?", re.IGNORECASE)
_PLAYERS = {"youtube": "https://www.youtube.com/embed/", "vimeo": "https://player.vimeo.com/video/"}
_VIDEO = re.compile(r"\bvideo-?id\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)
_LABEL = re.compile(r"\b(?:videotitle|playlabel|title)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_MAX_URL = 2_000  # characters


def link(url: str, title: str = "") -> str:
    """Return a link to the page that shows what is at the absolute URL of a frame; its text says what that is."""
    page, shows = _page(url) or (url, "")
    parts = urlsplit(page)  # which `absolute` has accepted
    text = title.strip() or shows or f"{parts.netloc}{parts.path}".rstrip("/")
    return f'<a href="{escape(page)}">{escape(text)}</a>'


def scripts_as_links(html: str) -> str:
    """Return HTML in which scripts that embed something known are paragraphs with a link; other scripts stay."""
    return _SCRIPT.sub(_script, html)


def is_decoration(attributes: str) -> bool:
    """Return whether a script with these attributes only decorates a quotation, which is shown without it."""
    return _DECORATION.search(attributes) is not None


def components_as_frames(html: str) -> str:
    """Return HTML in which the web components `lite-youtube` and `lite-vimeo` are the frames that they stand for."""
    return _COMPONENT.sub(_component, html)


def _component(match: re.Match[str]) -> str:
    video, label = _VIDEO.search(match[2]), _LABEL.search(match[2])
    if video is None:
        return match[0]
    title = f' title="{escape(unescape(label[1] or label[2] or ""))}"' if label else ""
    return f'<iframe src="{_PLAYERS[match[1].lower()]}{video[1]}"{title}></iframe>'


def _script(match: re.Match[str]) -> str:
    found = _SRC.search(match[1])
    src = unescape(found[1] or found[2] or found[3] or "") if found else ""
    url = absolute(src, "https://site.invalid/")
    return f"<p>{link(url)}</p>" if url and _page(url) else match[0]


def _page(url: str) -> tuple[str, str] | None:
    """Return the page about what is at an absolute URL, and what it shows; None where neither is known."""
    if len(url) > _MAX_URL:
        return None
    for player, page, shows in _PAGES:
        if match := player.fullmatch(url):
            address: str | None = match.expand(page)
            if shows == "Listen on SoundCloud":  # whose player is given another address
                given = unquote(address or "")
                address = (
                    absolute(given, "https://site.invalid/") if given.startswith(("https://", "http://")) else None
                )
            if address:
                return address, shows
    return None
