"""What the documents of the formats are called."""

RSS = "rss.xml"
ATOM = "atom.xml"
JSON_FEED = "feed.json"
OPML = "feeds.opml"
