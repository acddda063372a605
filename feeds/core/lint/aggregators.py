"""The published requirements of news aggregators and podcast directories, which `feeds check --for NAME` checks.

A rule is here only if its source states it. Rules are checked on the feed as this program publishes it. Properties that
only the aggregator can see, such as the size of a picture in pixels, are not checked. If a rule requires an element
that this program never writes (`never_written`), no feed meets the rule. docs/aggregators.md lists the rules; `pytest
tests/test_aggregators.py --golden` writes its tables.
"""

from functools import partial

from feeds.core.lint import requirements as checks
from feeds.core.lint.requirements import Aggregator, Requirement, Source

_APPLE_NEWS = Source(
    "RSS guidelines for Apple News", "https://support.apple.com/en-qa/guide/news-publisher/apdc2c7520ff/icloud"
)
_APPLE_PODCASTS = Source("A Podcaster’s Guide to RSS", "https://help.apple.com/itc/podcasts_connect/#/itcb54353390")
_FEEDLY_BLOG = Source(
    "10 Ways to Optimize Your Feed for Feedly", "https://blog.feedly.com/10-ways-to-optimize-your-feed-for-feedly/"
)
_FEEDLY_API = Source("Feeds API", "https://developer.feedly.com/v3/feeds/")
_FLIPBOARD = Source("Optimizing your RSS feed for Flipboard", "https://about.flipboard.com/rss-spec/")
_FLIPBOARD_FAQ = Source(
    "Resubmit an RSS feed", "https://flipboard.helpshift.com/hc/en/1-flipboard/faq/1023-resubmit-an-rss-feed/"
)
_GOOGLE_FEEDS = Source("Technical feed requirements", "https://support.google.com/news/publisher-center/answer/9545420")
_GOOGLE_CONTENT = Source("Feed-based inclusion guidelines", "https://support.google.com/news/producer/answer/4304250")
_GOOGLE_SITEMAPS = Source(
    "News sitemaps", "https://developers.google.com/search/docs/crawling-indexing/sitemaps/news-sitemap"
)
_MSN_ITEMS = Source(
    "MSN feed item metadata requirements",
    "https://support.microsoft.com/en-us/topic/msn-feed-item-metadata-requirements-0114c19c-36bb-4fef-8322-4a1ed6888329",
)
_MSN_CONTENT = Source(
    "Feed content specifications in MSN Partner Hub",
    "https://support.microsoft.com/en-us/msn/partner-hub/feed-content-specifications-in-msn-partner-hub",
)
_MSN_FAQ = Source(
    "Feed management FAQ for MSN Partner Hub",
    "https://support.microsoft.com/en-au/topic/feed-management-faq-for-msn-partner-hub-4690c187-b7e3-4a1e-b738-c294959f009c",
)
_MSN_HTML = Source(
    "MSN HTML guidelines and tag restrictions",
    "https://support.microsoft.com/en-us/topic/msn-html-guidelines-and-tag-restrictions-2a12f610-f3da-43ea-8dc4-766f6df89e8d",
)
_NEWSBREAK = Source("Publisher FAQ", "https://support.newsbreak.com/publisher-faq")
_SMARTNEWS = Source(
    "SmartFormat Specification Version 2.2", "https://publishers.smartnews.com/hc/en-us/articles/56500436151065"
)
_SMARTNEWS_OVERVIEW = Source(
    "SmartFormat概要(バージョン2.1)", "https://publishers.smartnews.com/hc/ja/articles/360036526213"
)

AGGREGATORS = {
    "apple-news": Aggregator(
        "Apple News",
        {
            "apple-news-language": Requirement(
                "warning", "the language of the feed includes the country, such as `en-GB`",
                "a required element is incomplete", _APPLE_NEWS, checks.of_feed(checks.locale),
            ),
            "apple-news-description": Requirement(
                "warning", "each entry has a description", "a required element is missing",
                _APPLE_NEWS, checks.of_entries(checks.description, "description"),
            ),
            "apple-news-text": Requirement(
                "notice", "each entry has its full text", "the article is shown as an excerpt with a link",
                _APPLE_NEWS, checks.of_entries(checks.full_text, "title"),
            ),
            "apple-news-title": Requirement(
                "notice", "each title has 15 to 60 characters",
                "the title is too short to be informative, or too long",
                _APPLE_NEWS, checks.of_entries(partial(checks.title_length, 15, 60), "title"),
            ),
        },
    ),
    "apple-podcasts": Aggregator(
        "Apple Podcasts",
        {
            "apple-podcasts-file": Requirement(
                "warning", "each entry has an enclosure: M4A, MP3, MOV, MP4, M4V or PDF, by its extension",
                "the entry is not in the directory",
                _APPLE_PODCASTS, checks.of_entries(checks.podcast_file, "enclosure"),
            ),
            "apple-podcasts-length": Requirement(
                "warning", "the size of each enclosure is known", "the attribute `length`, which is required, is 0",
                _APPLE_PODCASTS, checks.of_entries(checks.podcast_length, "enclosure"),
            ),
            "apple-podcasts-description": Requirement(
                "warning", "the feed has a description of at most 4,000 bytes", "the feed does not pass validation",
                _APPLE_PODCASTS, checks.of_feed(checks.podcast_description),
            ),
            "apple-podcasts-summary": Requirement(
                "warning", "the description of each entry has at most 4,000 bytes",
                "the description exceeds a limit of Apple Podcasts",
                _APPLE_PODCASTS, checks.of_entries(checks.podcast_summary, "description"),
            ),
            "apple-podcasts-artwork": Requirement(
                "warning", "`itunes:image`, the artwork of the show", "the feed does not pass validation",
                _APPLE_PODCASTS, checks.never_written("itunes:image"),
            ),
            "apple-podcasts-category": Requirement(
                "warning", "`itunes:category`", "the feed does not pass validation",
                _APPLE_PODCASTS, checks.never_written("itunes:category"),
            ),
            "apple-podcasts-explicit": Requirement(
                "warning", "`itunes:explicit`", "the feed does not pass validation",
                _APPLE_PODCASTS, checks.never_written("itunes:explicit"),
            ),
        },
    ),
    "feedly": Aggregator(
        "Feedly",
        {
            "feedly-branding": Requirement(
                "notice", "`webfeeds:cover`, `webfeeds:icon`, `webfeeds:logo` and `webfeeds:accentColor`",
                "Feedly shows the feed without its own cover, logo and colour",
                _FEEDLY_BLOG, checks.never_written("elements of the namespace webfeeds"),
            ),
            "feedly-dormant": Requirement(
                "notice", "an entry was published within the last 90 days (Feedly: “a few months”)",
                "the feed is marked as dormant", _FEEDLY_API, checks.of_feed(checks.recent),
            ),
        },
    ),
    "flipboard": Aggregator(
        "Flipboard",
        {
            "flipboard-text": Requirement(
                "warning", "each entry has its full text", "the feed is not featured",
                _FLIPBOARD, checks.of_entries(checks.full_text, "title"),
            ),
            "flipboard-image": Requirement(
                "warning", "each entry has an image (of at least 400 pixels on its shorter side, which is not checked)",
                "the feed is not featured", _FLIPBOARD, checks.of_entries(checks.image, "image"),
            ),
            "flipboard-entries": Requirement(
                "warning", "the feed has 30 or more entries", "the feed is not featured",
                _FLIPBOARD, checks.of_feed(partial(checks.least_entries, 30)),
            ),
            "flipboard-summary": Requirement(
                "notice", "the summary of each entry has 300 or more characters",
                "the summary is less attractive and informative",
                _FLIPBOARD_FAQ, checks.of_entries(partial(checks.excerpt_length, 300), "description"),
            ),
            "flipboard-enclosure": Requirement(
                "notice", "each entry has a picture or a video as its enclosure",
                "no picture is chosen for the layout view",
                _FLIPBOARD_FAQ, checks.of_entries(checks.enclosed_picture, "enclosure"),
            ),
            "flipboard-author": Requirement(
                "notice", "each entry has an author", "the article is shown without an author",
                _FLIPBOARD_FAQ, checks.of_entries(checks.author, "author"),
            ),
            "flipboard-host": Requirement(
                "notice", "entries link to the host of the feed",
                "Flipboard prefers feeds whose entries link to the domain of the feed",
                _FLIPBOARD_FAQ, checks.of_entries(checks.host, "link"),
            ),
        },
    ),
    "google-news": Aggregator(
        "Google News",
        {
            "google-news-size": Requirement(
                "warning", "the feed has at most 2 MB", "the feed exceeds a limit of Google News",
                _GOOGLE_FEEDS, checks.of_feed(partial(checks.size, 2 * checks.MB)),
            ),
            "google-news-article-size": Requirement(
                "warning", "each article has at most 1 MB", "the article exceeds a limit of Google News",
                _GOOGLE_FEEDS, checks.of_entries(partial(checks.article_size, checks.MB), "title"),
            ),
            "google-news-entries": Requirement(
                "notice", "the feed has at most 60 entries", "only 60 new entries are read at a time",
                _GOOGLE_FEEDS, checks.of_feed(partial(checks.most_entries, 60)),
            ),
            "google-news-text": Requirement(
                "warning", "each entry has its full text", "the publication is not included in the catalogue",
                _GOOGLE_CONTENT, checks.of_entries(checks.full_text, "title"),
            ),
            "google-news-image": Requirement(
                "notice", "each entry has an image (of at least 800 pixels on its shorter side, which is not checked)",
                "the article is shown without a large picture",
                _GOOGLE_CONTENT, checks.of_entries(checks.image, "image"),
            ),
            "google-news-sitemap": Requirement(
                "notice", "the site has a news sitemap (`site.news_sitemap`)", "Google gets no list of new articles",
                _GOOGLE_SITEMAPS, checks.of_feed(checks.news_sitemap),
            ),
        },
    ),
    "msn": Aggregator(
        "MSN",
        {
            "msn-https": Requirement(
                "warning", "the address of the feed begins with `https:`", "the feed is not read",
                _MSN_CONTENT, checks.of_feed(checks.https),
            ),
            "msn-title": Requirement(
                "warning", "each title has 21 to 150 characters", "the entry may be removed",
                _MSN_ITEMS, checks.of_entries(partial(checks.title_length, 21, 150), "title"),
            ),
            "msn-text": Requirement(
                "warning", "each entry has its full text", "the body, which is required, is missing",
                _MSN_ITEMS, checks.of_entries(checks.full_text, "title"),
            ),
            "msn-age": Requirement(
                "warning", "each entry was published less than 365 days ago", "the entry is not read",
                _MSN_ITEMS, checks.of_entries(checks.age, "date"),
            ),
            "msn-language": Requirement(
                "warning", "all entries have the language of the feed",
                "the entry is not in the language for which the feed was registered",
                _MSN_FAQ, checks.of_entries(checks.one_language, "language"),
            ),
            "msn-image": Requirement(
                "notice", "each entry has an image", "the article is not published automatically",
                _MSN_CONTENT, checks.of_entries(checks.image, "image"),
            ),
            "msn-headings": Requirement(
                "notice", "no entry has a heading of the sixth level", "MSN does not support the tag `h6`",
                _MSN_HTML, checks.of_entries(checks.sixth_heading, "title"),
            ),
        },
    ),
    "newsbreak": Aggregator(
        "NewsBreak",
        {
            "newsbreak-text": Requirement(
                "warning", "each entry has its full text", "the feed may be paused or removed",
                _NEWSBREAK, checks.of_entries(checks.full_text, "title"),
            ),
            "newsbreak-image": Requirement(
                "warning", "each entry has an image", "the feed may be paused or removed",
                _NEWSBREAK, checks.of_entries(checks.image, "image"),
            ),
            "newsbreak-author": Requirement(
                "warning", "each entry has an author", "the application may be rejected",
                _NEWSBREAK, checks.of_entries(checks.author, "author"),
            ),
            "newsbreak-language": Requirement(
                "warning", "each entry is in English", "the entry is shown as failed",
                _NEWSBREAK, checks.of_entries(checks.english, "language"),
            ),
        },
    ),
    "smartnews": Aggregator(
        "SmartNews",
        {
            "smartnews-description": Requirement(
                "warning", "the description of the feed has at most 30 characters", "a required element is too long",
                _SMARTNEWS, checks.of_feed(partial(checks.feed_description, 30)),
            ),
            "smartnews-date": Requirement(
                "warning", "`pubDate` of the channel", "a required element is missing",
                _SMARTNEWS, checks.never_written("pubDate in the channel, only lastBuildDate"),
            ),
            "smartnews-text": Requirement(
                "warning", "each entry has its full text (`content:encoded`)", "a required element is missing",
                _SMARTNEWS, checks.of_entries(checks.full_text, "title"),
            ),
            "smartnews-thumbnail": Requirement(
                "warning", "`media:thumbnail` of each entry", "an element that each item must have is missing",
                _SMARTNEWS, checks.never_written("media:thumbnail, but media:content for the image of an entry"),
            ),
            "smartnews-logo": Requirement(
                "notice", "`snf:logo`", "articles are shown without the logo of the site",
                _SMARTNEWS, checks.never_written("snf:logo"),
            ),
            "smartnews-size": Requirement(
                "notice", "the feed has at most 1 MB", "the validator may report an error",
                _SMARTNEWS_OVERVIEW, checks.of_feed(partial(checks.size, checks.MB)),
            ),
        },
    ),
}  # fmt: skip
"""The aggregators whose rules are known, by the name that `feeds check --for` takes."""

REQUIREMENTS = {name: rule for aggregator in AGGREGATORS.values() for name, rule in aggregator.rules.items()}
"""All rules, by name. No name is one of `lint.RULES`."""
