"""Converts frames and scripts that embed a player, a post or code into links to its page."""

import re
from html import escape, unescape
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from feeds.core.text import absolute_url
from feeds.core.wording import ENGLISH, Wording


class _Kind(NamedTuple):
    """The content of an embed: a key of `Wording.embeds`, and the name of the site."""

    content: str
    site: str


_SOUNDCLOUD = "SoundCloud"
# (URL of a player or widget, URL of its page, its content)
_PAGES: tuple[tuple[re.Pattern[str], str, _Kind], ...] = tuple(
    (re.compile(rf"https?://(?:www\.)?{pattern}"), page, shows)
    for pattern, page, shows in (
        (
            r"youtube(?:-nocookie)?\.com/embed/videoseries\?(?:.*&)?list=([\w-]+).*",
            r"https://www.youtube.com/playlist?list=\1",
            _Kind("playlist", "YouTube"),
        ),
        (
            r"youtube(?:-nocookie)?\.com/embed/live_stream\?(?:.*&)?channel=([\w-]+).*",
            r"https://www.youtube.com/channel/\1/live",
            _Kind("stream", "YouTube"),
        ),
        (
            r"youtube(?:-nocookie)?\.com/embed/([\w-]+).*",
            r"https://www.youtube.com/watch?v=\1",
            _Kind("video", "YouTube"),
        ),
        (r"player\.vimeo\.com/video/(\d+)\?(?:.*&)?h=(\w+).*", r"https://vimeo.com/\1/\2", _Kind("video", "Vimeo")),
        (r"player\.vimeo\.com/video/(\d+).*", r"https://vimeo.com/\1", _Kind("video", "Vimeo")),
        (
            r"dailymotion\.com/embed/video/(\w+).*",
            r"https://www.dailymotion.com/video/\1",
            _Kind("video", "Dailymotion"),
        ),
        (
            r"open\.spotify\.com/embed(?:-podcast)?/(\w+)/(\w+).*",
            r"https://open.spotify.com/\1/\2",
            _Kind("audio", "Spotify"),
        ),
        (r"w\.soundcloud\.com/player/?\?(?:.*&)?url=([^&]+).*", r"\1", _Kind("audio", _SOUNDCLOUD)),
        (r"codepen\.io/([\w-]+)/embed/(?:preview/)?(\w+).*", r"https://codepen.io/\1/pen/\2", _Kind("code", "CodePen")),
        (
            r"jsfiddle\.net/((?:[\w-]+/){1,3})embed(?:ded)?(?:/.*)?",
            r"https://jsfiddle.net/\1",
            _Kind("code", "JSFiddle"),
        ),
        (
            r"asciinema\.org/a/(\w+)(?:/embed.*|/iframe.*|\.js.*)",
            r"https://asciinema.org/a/\1",
            _Kind("recording", "asciinema"),
        ),
        (r"gist\.github\.com/([\w-]+/\w+)\.js.*", r"https://gist.github.com/\1", _Kind("code", "GitHub Gist")),
        (r"gitlab\.com/(.+/snippets/\d+)\.js.*", r"https://gitlab.com/\1", _Kind("code", "GitLab")),
        (r"([\w.-]+)/(@[\w.-]+/\d+)/embed.*", r"https://\1/\2", _Kind("post", "Mastodon")),
    )
)
_SCRIPT = re.compile(r"<script\b([^<>]*)>\s*</script\s*>", re.IGNORECASE)
_SRC = re.compile(r"\bsrc\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"']+))", re.IGNORECASE)
# scripts that only style a quoted post; the quotation itself is kept
_DECORATION = re.compile(
    r"platform\.(?:twitter|x)\.com/widgets\.js|instagram\.com/(?:static/[\w.-]+/)?embeds?\.js|tiktok\.com/embed\.js"
    r"|embed\.bsky\.app/|embed\.redditmedia\.com/|/embed\.js",
    re.IGNORECASE,
)
_COMPONENT = re.compile(r"<lite-(youtube|vimeo)\b([^<>]*)>(?:\s*</lite-\1>)?", re.IGNORECASE)
_PLAYERS = {"youtube": "https://www.youtube.com/embed/", "vimeo": "https://player.vimeo.com/video/"}
_VIDEO = re.compile(r"\bvideo-?id\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)
_LABEL = re.compile(r"\b(?:videotitle|playlabel|title)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_MAX_URL_LENGTH = 2_000  # characters


def link_to_embed(url: str, title: str = "", wording: Wording = ENGLISH) -> str:
    """Return an HTML link to the page of the embed at an absolute URL, or to the URL itself if its page is unknown.

    The text of the link is `title`, else the content of the embed in words, else the URL.
    """
    page, kind = _find_page(url) or (url, None)
    parts = urlsplit(page)  # never fails, because `absolute_url` has accepted the URL
    text = title.strip() or (kind and wording.embed(*kind)) or f"{parts.netloc}{parts.path}".rstrip("/")
    return f'<a href="{escape(page)}">{escape(text)}</a>'


def replace_scripts(html: str, wording: Wording = ENGLISH) -> str:
    """Return HTML with known embedding scripts replaced with a paragraph that links to the page; other scripts stay."""
    return _SCRIPT.sub(lambda match: _link_to_script(match, wording), html)


def is_decorative(attributes: str) -> bool:
    """Return whether a script with these attributes only styles a quotation."""
    return _DECORATION.search(attributes) is not None


def replace_components(html: str) -> str:
    """Return HTML with the web components `lite-youtube` and `lite-vimeo` replaced with their iframes."""
    return _COMPONENT.sub(_iframe_of, html)


def _iframe_of(match: re.Match[str]) -> str:
    video, label = _VIDEO.search(match[2]), _LABEL.search(match[2])
    if video is None:
        return match[0]
    title = f' title="{escape(unescape(label[1] or label[2] or ""))}"' if label else ""
    return f'<iframe src="{_PLAYERS[match[1].lower()]}{video[1]}"{title}></iframe>'


def _link_to_script(match: re.Match[str], wording: Wording) -> str:
    attribute = _SRC.search(match[1])
    src = unescape(attribute[1] or attribute[2] or attribute[3] or "") if attribute else ""
    url = absolute_url(src, "https://site.invalid/")
    return f"<p>{link_to_embed(url, wording=wording)}</p>" if url and _find_page(url) else match[0]


def _find_page(url: str) -> tuple[str, _Kind] | None:
    """Return the URL of the page of an embed and its content, or None if they are unknown."""
    if len(url) > _MAX_URL_LENGTH:
        return None
    for player, page, kind in _PAGES:
        if match := player.fullmatch(url):
            address: str | None = match.expand(page)
            if kind.site == _SOUNDCLOUD:  # its player takes the URL of the page as a parameter
                given = unquote(address or "")
                address = (
                    absolute_url(given, "https://site.invalid/") if given.startswith(("https://", "http://")) else None
                )
            if address:
                return address, kind
    return None
