"""The keys of front matter by field: this program's own, then those of other generators, themes and hosts.

Keys are compared by `canonical`: `coverimage` stands for `coverImage`, `cover_image` and `Cover Image`. A field has the
value of its first key that has a usable one. A key may belong to several fields.
"""

from collections.abc import Mapping
from functools import lru_cache

FIELDS: Mapping[str, tuple[str, ...]] = {
    "title": ("title",),
    "slug": ("slug",),
    "id": ("id", "guid"),
    "link": ("link", "url", "permalink"),
    "canonical": ("canonicalurl", "canonical", "canonicallink", "relcanonical"),
    "external_url": ("externalurl", "externallink"),
    "published": ("date", "published", "publishdate", "pubdate", "created"),
    # a date in the file name goes before these: earlier versions did not read them
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
    # whether the article is published at all …
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
    # … and whether in feeds
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
# mappings whose keys count as if they stood one level up, but for those that tell which article it is
CONTAINERS = frozenset({"taxonomies", "extra", "params", "seo", "opengraph"})
_NOT_IN_CONTAINERS = frozenset({"title", "slug", "id", "link", "elsewhere"})
_MOVED = {"published": "dated"}  # a date in a container counts after that in the file name
# keys that say something else too: their value is an image only if it is called like one
LOOSE_IMAGES = frozenset({"images", "header", "feature", "featured", "hero", "banner", "poster", "photo", "img"})
IMAGE_PARTS = ("url", "src", "image", "path", "teaser", "overlayimage", "ogimage", "file", "filename", "href")
PEOPLE_NAMES = ("name", "displayname", "fullname")
PEOPLE_URLS = ("url", "uri", "website", "homepage", "link")

YES = frozenset({"true", "yes", "on", "1"})
NO = frozenset({"false", "no", "off", "0", "never"})
WITHHELD_STATUS = frozenset(
    {
        "draft", "auto-draft", "hidden", "skip", "private", "pending", "unpublished", "trash", "trashed", "wip",
    }
)  # fmt: skip
# of an article (WordPress, Ghost), a note, a page of a manual (Material for MkDocs), a decision, an incident
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
# the values that keep an article back, the other values that are known, and what to write
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
# keys that hold a text, too, or the address of a feed: only a misspelt yes or no counts as one
LOOSE_FLAGS = frozenset({"permalink", "feed", "feeds", "rss", "atom", "jsonfeed", "rssfeed", "article"})
_NEARLY_NO = frozenset({"nope", "none", "nein", "non", "disable", "disabled"})

_SHORTEST = 4  # letters of a key of which no other word is a misspelling
_FAR = 3  # letters that are wrong in what is another word
_LONG = 9  # letters of a key in which two may be wrong

# canonical key -> the fields that it belongs to, each with its rank among the keys of the field
ROLES: dict[str, tuple[tuple[str, int], ...]] = {}
for _field, _keys in FIELDS.items():
    for _rank, _key in enumerate(_keys):
        ROLES[_key] = (*ROLES.get(_key, ()), (_field, _rank))
INNER_ROLES = {
    key: tuple((_MOVED.get(field, field), rank + 1000) for field, rank in roles if field not in _NOT_IN_CONTAINERS)
    for key, roles in ROLES.items()
}
# what a misspelt key may stand for: keys that keep an article back, but for those that are close to other words
_FOR_TYPOS = tuple(
    (key, frozenset(key))
    for field in ("draft", "private", "public", "password", "visibility", "status", "elsewhere", "unlisted", "listed")
    for key in FIELDS[field]
    if len(key) > _SHORTEST and key not in {"permalink", "build", "render", "feeds", "article", "secret", "dgpublish"}
)
_NO_TYPOS = frozenset(
    {"publisher", "craft", "drift", "graft", "raft", "republic", "listen", "norse", "privacy", "stats"}
)
# spellings that earlier versions did not read as `publishdate` and `pubdate`
_APART = {
    "publish_date": "publishon",
    "publish-date": "publishon",
    "pub_date": "publishedon",
    "pub-date": "publishedon",
}


@lru_cache(maxsize=4096)
def canonical(spelling: str) -> str:
    """Return a key in lower case, without `_`, `-` and spaces."""
    key = spelling.lower()
    return _APART.get(key) or key.replace("_", "").replace("-", "").replace(" ", "")


@lru_cache(maxsize=4096)
def misspelt(key: str) -> str:
    """Return the key that keeps an article back of which a canonical key is a misspelling; "" if there is none."""
    if key in ROLES or key in CONTAINERS or key in _NO_TYPOS:
        return ""
    letters = set(key)
    found = []
    for known, known_letters in _FOR_TYPOS:
        limit = _FAR - 1 if len(known) >= _LONG else 1
        # most other words differ in more letters than so many changes can make
        if abs(len(key) - len(known)) <= limit and len(letters ^ known_letters) <= 2 * limit:
            distance = _distance(key, known)
            found += [(distance, known)] if distance <= limit else []
    return min(found, default=(0, ""))[1]


def is_misspelt_flag(word: str) -> bool:
    """Return whether a word in lower case is meant to be true or false, and is neither."""
    return word in _NEARLY_NO or any(_distance(word, flag) == 1 for flag in ("true", "false"))


def _distance(one: str, other: str) -> int:
    """Return the number of letters to insert, delete, replace or swap with their neighbour; 3 for more than two."""
    if abs(len(one) - len(other)) >= _FAR:
        return _FAR
    above: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one):
        before, above, row = above, row, [i + 1]
        for j, wanted in enumerate(other):
            row.append(min(row[j] + 1, above[j + 1] + 1, above[j] + (letter != wanted)))
            if i and j and letter == other[j - 1] and one[i - 1] == wanted:
                row[-1] = min(row[-1], before[j - 1] + 1)
    return min(row[-1], _FAR)
