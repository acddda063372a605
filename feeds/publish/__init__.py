"""Publishes the content folder as revisions of the catalog: one run (`publisher`), and when to run (`loop`)."""
