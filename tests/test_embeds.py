"""Embedded players, posts and code become links to the pages that show them."""

import pytest

from feeds.core.parse import embeds, html


@pytest.mark.parametrize(
    ("src", "page", "text"),
    [
        ("https://www.youtube.com/embed/a_B-1?start=3", "https://www.youtube.com/watch?v=a_B-1", "Video on YouTube"),
        (
            "https://www.youtube-nocookie.com/embed/videoseries?list=PL9",
            "https://www.youtube.com/playlist?list=PL9",
            "Playlist on YouTube",
        ),
        (
            "https://www.youtube.com/embed/live_stream?channel=UC1",
            "https://www.youtube.com/channel/UC1/live",
            "Live stream on YouTube",
        ),
        ("https://player.vimeo.com/video/77?h=ab12&title=0", "https://vimeo.com/77/ab12", "Video on Vimeo"),
        ("https://player.vimeo.com/video/77", "https://vimeo.com/77", "Video on Vimeo"),
        (
            "https://open.spotify.com/embed/episode/4x?theme=0",
            "https://open.spotify.com/episode/4x",
            "Listen on Spotify",
        ),
        (
            "https://w.soundcloud.com/player/?url=https%3A//soundcloud.com/a/b&color=0",
            "https://soundcloud.com/a/b",
            "Listen on SoundCloud",
        ),
        ("https://codepen.io/ann/embed/abc?default-tab=js", "https://codepen.io/ann/pen/abc", "Code on CodePen"),
        ("https://social.example/@ann/123/embed", "https://social.example/@ann/123", "Post on Mastodon"),
        ("https://maps.example/m?x=1", "https://maps.example/m?x=1", "maps.example/m"),
    ],
)
def test_frames(src, page, text):
    """An embedded frame becomes a link to the page of its content, with a text that names it."""
    assert embeds.link_to_embed(src) == f'<a href="{page}">{text}</a>'
    assert embeds.link_to_embed(src, "My <title>") == f'<a href="{page}">My &lt;title&gt;</a>'


@pytest.mark.parametrize(
    ("script", "page"),
    [
        ('<script src="https://gist.github.com/bob/9f8e.js"></script>', "https://gist.github.com/bob/9f8e"),
        ("<script src='//gist.github.com/bob/9f8e.js?file=a.py' ></script>", "https://gist.github.com/bob/9f8e"),
        ("<SCRIPT async src=https://asciinema.org/a/77.js id=x></SCRIPT>", "https://asciinema.org/a/77"),
        ('<script async src="//jsfiddle.net/bob/x1/embed/js,result/"></script>', "https://jsfiddle.net/bob/x1/"),
    ],
)
def test_scripts(script, page):
    """A known embedding script becomes a paragraph with a link to its content."""
    assert f'<p><a href="{page}">' in embeds.replace_scripts(f"<p>a</p>{script}")


@pytest.mark.parametrize("address", ["https%3A//%5B", "javascript%3Aalert(1)", "https%3A//a b", "%"])
def test_an_address_within_an_address_is_checked(address):
    """The address in a player's parameters is linked only if it is a URL."""
    src = f"https://w.soundcloud.com/player/?url={address}"
    assert embeds.link_to_embed(src).startswith('<a href="https://w.soundcloud.com/')
    assert "<a" not in embeds.replace_scripts(f'<script src="{src}"></script>')


def test_other_scripts_stay_for_the_sanitiser():
    """An unknown script gets no link; the sanitiser removes it."""
    script = '<script src="https://x.example/a.js"></script>'
    assert embeds.replace_scripts(script) == script
    assert embeds.link_to_embed("javascript:alert(1)//www.youtube.com/embed/x").count("youtube.com/watch") == 0


@pytest.mark.parametrize(
    ("component", "link"),
    [
        ('<lite-youtube videoid="a_B-1"></lite-youtube>', '<a href="https://www.youtube.com/watch?v=a_B-1">Video on YouTube</a>'),
        ("<Lite-YouTube videoId=a1 playlabel='A &amp; \"b\"'>\n</Lite-YouTube>", '<a href="https://www.youtube.com/watch?v=a1">A &amp; "b"</a>'),
        ('<lite-vimeo videoid="77" />', '<a href="https://vimeo.com/77">Video on Vimeo</a>'),
        ("<lite-youtube>x</lite-youtube>", "x"),
    ],
)  # fmt: skip
def test_components(component, link):
    """A web component for a video player becomes a link to the video."""
    assert html.sanitize(f"<p>a {component} b</p>", "https://x.example/", "") == f"<p>a {link} b</p>"
