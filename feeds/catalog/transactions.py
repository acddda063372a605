"""The composed reader and writer of a transaction: `CatalogReader` has all queries, `CatalogWriter` all changes too.

Each subject has a module with its queries, its changes and the types of its results:

    articles           ids, published states, pending decisions
    document_versions  versions of documents that workers rendered
    entries            the articles that each feed lists
    feeds              the state of each feed
    files              article files as the last run saw them, and rejections
    links              links from one article's file to another's
    moved_pages        the former addresses of HTML pages
    pages              the addresses of HTML pages
    recovery           rows saved from a damaged catalog
    revisions          committed states
    sitemaps           the articles that sitemaps list
    staging            files that were loaded and are not published yet
    state              single values that belong to the whole catalog
    tombstones         ids that were withdrawn from feeds

Poll statistics have transactions of their own (`stats`). To add a subject, write a module with a reader and a writer,
and add them to the lists of base classes here. A subject is listed before those that it builds on, such as articles
before entries, since Python searches the bases in this order.
"""

from feeds.catalog.articles import ArticleReader, ArticleWriter
from feeds.catalog.document_versions import DocumentVersionReader, DocumentVersionWriter
from feeds.catalog.entries import EntryReader, EntryWriter
from feeds.catalog.feeds import FeedStateReader, FeedStateWriter
from feeds.catalog.files import FileReader, FileWriter
from feeds.catalog.links import LinkReader, LinkWriter
from feeds.catalog.memberships import MembershipReader, MembershipWriter
from feeds.catalog.moved_pages import MovedPageReader, MovedPageWriter
from feeds.catalog.pages import PageReader
from feeds.catalog.recovery import RecoveryWriter
from feeds.catalog.revisions import RevisionReader, RevisionWriter
from feeds.catalog.sitemaps import SitemapReader
from feeds.catalog.staging import StagingReader, StagingWriter
from feeds.catalog.state import StateReader, StateWriter
from feeds.catalog.tombstones import TombstoneReader, TombstoneWriter


class CatalogReader(
    TombstoneReader,
    ArticleReader,
    DocumentVersionReader,
    EntryReader,
    FeedStateReader,
    FileReader,
    LinkReader,
    MembershipReader,
    PageReader,
    RevisionReader,
    SitemapReader,
    StagingReader,
    MovedPageReader,
    StateReader,
):
    """Queries on one consistent revision, within one transaction."""


class CatalogWriter(
    CatalogReader,
    TombstoneWriter,
    ArticleWriter,
    DocumentVersionWriter,
    EntryWriter,
    FeedStateWriter,
    FileWriter,
    LinkWriter,
    MembershipWriter,
    RecoveryWriter,
    RevisionWriter,
    StagingWriter,
    MovedPageWriter,
    StateWriter,
):
    """Queries and changes of the one writer, within one transaction."""
