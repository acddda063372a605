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

WITHHELD_STATUS = frozenset({"draft", "hidden", "skip", "private", "pending", "unpublished", "trash", "trashed", "wip"})
WITHHELD_VISIBILITY = frozenset(
    {"private", "members", "paid", "tiers", "password", "hidden", "draft", "none", "internal", "subscribers", "secret"}
)
PUBLIC = frozenset({"", "public", "published", "visible", "all", "everyone", "everybody", "open", "free", "listed"})
UNLISTED = frozenset({"unlisted", "hiddenfromfeeds"})

# canonical key -> the fields that it belongs to, each with its rank among the keys of the field
ROLES: dict[str, tuple[tuple[str, int], ...]] = {}
for _field, _keys in FIELDS.items():
    for _rank, _key in enumerate(_keys):
        ROLES[_key] = (*ROLES.get(_key, ()), (_field, _rank))
INNER_ROLES = {
    key: tuple((_MOVED.get(field, field), rank + 1000) for field, rank in roles if field not in _NOT_IN_CONTAINERS)
    for key, roles in ROLES.items()
}
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
