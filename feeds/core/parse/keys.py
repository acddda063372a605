"""The keys of front matter, by field: this program's own, then those of other generators, themes and hosts.

Keys are compared by `canonical_key`: `coverimage` stands for `coverImage`, `cover_image` and `Cover Image`. The value
of a field is the first usable one, in the order of its keys in `FIELDS`. A key may belong to several fields.

To add a field, add its keys to `FIELDS` here and an attribute to `Article` in core/model.py, and set the attribute in
core/parse/article.py with a method of fields.py. If JSON can't represent the value (such as a tuple or a date), convert
it in catalog/encoding.py. If documents show the field, extend `Entry`, `build_entry` in core/syndication.py and the
formats.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache

FIELDS: Mapping[str, tuple[str, ...]] = {
    "title": ("title",),
    "slug": ("slug",),
    "id": ("id", "guid"),
    "link": ("link", "url", "permalink"),
    "canonical": ("canonicalurl", "canonical", "canonicallink", "relcanonical"),
    "external_url": ("externalurl", "externallink"),
    "published": ("date", "published", "publishdate", "pubdate", "created"),
    # a date in the file name takes precedence over these, because earlier versions did not read them
    "dated": (
        "pubdatetime", "datepublished", "publishedat", "publishedon", "publisheddate", "publishon", "publishat",
        "postdate", "posted", "postedat", "createdat", "createdon", "createddate", "createtime", "datecreated",
        "datetime", "firstpublishedat",
    ),
    "embargo": (
        "publishdate", "publishon", "publishat", "publishafter", "embargo", "embargountil", "scheduledat",
        "scheduledfor", "scheduleddate",
    ),
    "updated": (
        "updated", "lastmod", "modified", "lastmodifiedat", "datemodified", "moddatetime", "updateddate", "dateupdated",
        "updatedat", "updatedon", "lastupdated", "lastupdatedat", "lastupdate", "lastmodified", "lastmodifieddate",
        "modifiedat", "modifieddate", "modificationdate", "updatedate", "updatetime", "edited", "editedat",
    ),
    "expires": (
        "expires", "expirydate", "expiry", "expirationdate", "expiredate", "expiresat", "expireson", "unpublishdate",
        "unpublishat", "unpublishon", "validuntil",
    ),
    "categories": ("category", "categories"),
    "tags": ("tags", "keywords"),
    "authors": ("authors", "author", "byline", "writer", "creator"),
    "summary": (
        "description", "summary", "excerpt", "subtitle", "abstract", "lead", "lede", "intro", "tldr",
        "metadescription", "seodescription", "ogdescription",
    ),
    "image": (
        "image", "cover", "thumbnail", "coverimage", "heroimage", "featuredimage", "featureimage", "ogimage", "images",
        "header", "feature", "featured", "socialimage", "socialcard", "sharingimage", "previewimage", "postimage",
        "bannerimage", "headerimage", "headerimg", "teaserimage", "cardimage", "metaimage", "imageurl", "coverurl",
        "coverimg", "coverimageurl", "thumbnailurl", "thumb", "hero", "banner", "poster", "photo", "img",
    ),
    "imagealt": ("imagealt", "coveralt", "coverimagealt", "heroimagealt", "heroalt", "featuredimagealt", "ogimagealt"),
    "language": ("lang", "language", "locale"),
    "enclosures": ("enclosures", "enclosure", "audio", "video", "audiourl", "videourl", "audiofile"),
    # keys that decide whether the article is published
    "draft": ("draft", "isdraft", "saveasdraft"),
    "private": (
        "private", "isprivate", "unpublished", "nopublish", "protected", "encrypt", "encrypted", "membersonly",
        "memberonly", "subscribersonly", "subscriberonly", "secret", "confidential", "trashed", "deleted",
    ),
    "public": ("publish", "public", "ispublic", "ispublished", "dgpublish", "render"),
    "password": ("password", "passphrase", "passwd"),
    "visibility": ("visibility",),
    "status": ("status", "poststatus"),
    "elsewhere": ("published", "permalink", "headless", "eleventyexcludefromcollections", "build"),
    # keys that decide whether the article is in feeds
    "unlisted": (
        "unlisted", "hidden", "norss", "nofeed", "noatom", "excludefromfeed", "excludefromfeeds", "excludefromrss",
        "excludefeed", "excluderss", "feedexclude", "rssexclude", "disablerss", "disablefeed", "hidefromfeed",
        "hidefromfeeds", "hidefromrss", "hiddenfromfeed", "hiddenfromrss", "hiderss", "hidefeed", "rssignore",
        "feedignore", "skiprss", "skipfeed", "omitfromfeed", "omitfromrss",
    ),
    "listed": (
        "listed", "feed", "feeds", "rss", "atom", "jsonfeed", "rssfeed", "includeinfeed", "includeinfeeds",
        "includeinrss", "infeed", "inrss", "showinfeed", "showinrss", "addtofeed", "article", "visible",
    ),
    "outputs": ("outputs",),
    "unsupported": (
        "wip", "embargoed", "members", "premium", "paid", "paidonly", "paywall", "restricted", "access", "accesslevel",
        "tier", "internal", "exclude", "excluded", "ignore", "ignored", "skip", "archived", "disabled", "noexport",
        "hide",
    ),
}  # fmt: skip
# mappings whose keys count as top-level keys, except for keys that identify the article
CONTAINERS = frozenset({"taxonomies", "extra", "params", "seo", "opengraph"})
_NOT_IN_CONTAINERS = frozenset({"title", "slug", "id", "link", "elsewhere"})
_FIELDS_IN_CONTAINERS = {"published": "dated"}  # a date in the file name takes precedence over one in a container
# keys that also have other meanings: their value is an image only if it has the file extension of an image
LOOSE_IMAGES = frozenset({"images", "header", "feature", "featured", "hero", "banner", "poster", "photo", "img"})
IMAGE_PARTS = ("url", "src", "image", "path", "teaser", "overlayimage", "ogimage", "file", "filename", "href")
AUTHOR_NAMES = ("name", "displayname", "fullname")
AUTHOR_URLS = ("url", "uri", "website", "homepage", "link")

YES = frozenset({"true", "yes", "on", "1"})
NO = frozenset({"false", "no", "off", "0", "never"})
WITHHELD_STATUS = frozenset(
    {
        "draft", "auto-draft", "hidden", "skip", "private", "pending", "unpublished", "trash", "trashed", "wip",
    }
)  # fmt: skip
# the status of articles (WordPress, Ghost), notes, pages of manuals (Material for MkDocs), decisions and incidents
PUBLISHED_STATUS = frozenset(
    {
        "publish", "published", "public", "publishing", "live", "posted", "released", "sent", "future", "scheduled",
        "inherit", "sticky", "featured", "final", "finished", "done", "complete", "completed", "active", "ongoing",
        "stable", "new", "updated", "beta", "experimental", "archived", "outdated", "deprecated", "obsolete", "seed",
        "seedling", "budding", "sapling", "evergreen", "proposed", "accepted", "approved", "rejected", "superseded",
        "withdrawn", "implemented", "open", "opened", "closed", "investigating", "identified", "monitoring", "resolved",
        "fixed",
    }
)  # fmt: skip
WITHHELD_VISIBILITY = frozenset(
    {"private", "members", "paid", "tiers", "password", "hidden", "draft", "none", "internal", "subscribers", "secret"}
)
PUBLIC = frozenset({"", "public", "published", "visible", "all", "everyone", "everybody", "open", "free", "listed"})
UNLISTED = frozenset({"unlisted", "hiddenfromfeeds"})
# field -> values that withhold an article, other known values, the values to recommend in a message
FLAGS: Mapping[str, tuple[frozenset[str], frozenset[str], str]] = {
    "draft": (YES, NO, "true or false"),
    "private": (YES, NO, "true or false"),
    "public": (NO, YES | PUBLIC | {"always", "link"}, "true or false"),
    "visibility": (WITHHELD_VISIBILITY, PUBLIC | UNLISTED, "public, unlisted or private"),
    "status": (WITHHELD_STATUS, PUBLISHED_STATUS | UNLISTED | YES, "published or draft"),
    "build": (NO | {"local"}, YES | {"always", "link"}, "always or never"),  # Hugo
    "unlisted": (YES, NO, "true or false"),
    "listed": (NO, YES | PUBLIC, "true or false"),
}
# keys whose value may also be a text or the URL of a feed; an unknown value is a flag only if it misspells a boolean
LOOSE_FLAGS = frozenset({"permalink", "feed", "feeds", "rss", "atom", "jsonfeed", "rssfeed", "article"})
_NEARLY_NO = frozenset({"nope", "none", "nein", "non", "disable", "disabled"})

_MAX_SHORT_KEY = 4  # letters; no word counts as a misspelling of a key this short
_MAX_DISTANCE = 3  # edits; at this distance, two words are different words
_MIN_LONG_KEY = 9  # letters; keys this long may have two edits, others one

# canonical key -> (field, rank of the key in the field) for each field that the key belongs to
FIELDS_BY_KEY: dict[str, tuple[tuple[str, int], ...]] = {}
for _field, _keys in FIELDS.items():
    for _rank, _key in enumerate(_keys):
        FIELDS_BY_KEY[_key] = (*FIELDS_BY_KEY.get(_key, ()), (_field, _rank))
FIELDS_BY_INNER_KEY = {
    key: tuple(
        (_FIELDS_IN_CONTAINERS.get(field, field), rank + 1000)
        for field, rank in roles
        if field not in _NOT_IN_CONTAINERS
    )
    for key, roles in FIELDS_BY_KEY.items()
}
# the keys whose misspellings are detected: keys that withhold an article, except for those close to other words
_CORRECTIONS = tuple(
    (key, frozenset(key))
    for field in ("draft", "private", "public", "password", "visibility", "status", "elsewhere", "unlisted", "listed")
    for key in FIELDS[field]
    if len(key) > _MAX_SHORT_KEY
    and key not in {"permalink", "build", "render", "feeds", "article", "secret", "dgpublish"}
)
# the keys of an article's content whose misspellings are detected; shorter ones are too close to other words
_CONTENT_KEYS = ("title", "description", "summary", "category", "categories", "author", "authors", "image", "language")
_CONTENT_CORRECTIONS = tuple((key, frozenset(key)) for key in _CONTENT_KEYS)
_DATE_CORRECTION = (("date", frozenset("date")),)
_NOT_MISSPELLED = frozenset(
    {"dates", "publisher", "craft", "drift", "graft", "raft", "republic", "listen", "norse", "privacy", "stats"}
)
# `publishdate` and `pubdate` take precedence over a date in the file name, but not in these spellings, which earlier
# versions did not read
_SPECIAL_SPELLINGS = {
    "publish_date": "publishon",
    "publish-date": "publishon",
    "pub_date": "publishedon",
    "pub-date": "publishedon",
}


@lru_cache(maxsize=4096)
def canonical_key(spelling: str) -> str:
    """Return the canonical form of a key: lower case, without "_", "-" and spaces."""
    key = spelling.lower()
    return _SPECIAL_SPELLINGS.get(key) or key.replace("_", "").replace("-", "").replace(" ", "")


@lru_cache(maxsize=4096)
def intended_key(key: str) -> str:
    """Return the withholding key of which a canonical key is a misspelling, or "" if there is none."""
    return "" if key in _NOT_MISSPELLED else _closest(key, _CORRECTIONS)


@lru_cache(maxsize=4096)
def intended_content_key(key: str) -> str:
    """Return the key of an article's content of which a canonical key is a misspelling, or "" if there is none.

    Many words are close to "date", such as "data" or "rate": they are misspellings only if their value is a date.
    """
    intended = _closest(key, _CONTENT_CORRECTIONS) if len(key) > _MAX_SHORT_KEY else ""
    return intended or ("" if key in _NOT_MISSPELLED else _closest(key, _DATE_CORRECTION))


def _closest(key: str, known_keys: Iterable[tuple[str, frozenset[str]]]) -> str:
    """Return the known key of which a canonical key is a misspelling, or "". `known_keys`: keys with their letters."""
    if key in FIELDS_BY_KEY or key in CONTAINERS:
        return ""
    letters = set(key)
    candidates = []
    for known, known_letters in known_keys:
        limit = _MAX_DISTANCE - 1 if len(known) >= _MIN_LONG_KEY else 1
        # comparing the sets of letters excludes most words fast
        if abs(len(key) - len(known)) <= limit and len(letters ^ known_letters) <= 2 * limit:
            distance = _distance(key, known)
            candidates += [(distance, known)] if distance <= limit else []
    return min(candidates, default=(0, ""))[1]


def is_misspelled_boolean(word: str) -> bool:
    """Return whether a word in lower case is a misspelled boolean."""
    return word in _NEARLY_NO or any(_distance(word, flag) == 1 for flag in ("true", "false"))


def _distance(one: str, other: str) -> int:
    """Return the optimal string alignment distance of two words, at most 3."""
    if abs(len(one) - len(other)) >= _MAX_DISTANCE:
        return _MAX_DISTANCE
    above: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one):
        before, above, row = above, row, [i + 1]
        for j, wanted in enumerate(other):
            row.append(min(row[j] + 1, above[j + 1] + 1, above[j] + (letter != wanted)))
            if i and j and letter == other[j - 1] and one[i - 1] == wanted:
                row[-1] = min(row[-1], before[j - 1] + 1)
    return min(row[-1], _MAX_DISTANCE)
