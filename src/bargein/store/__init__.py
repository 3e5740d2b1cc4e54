"""The store: resources and calls in one database (SQLite or Postgres), journals, recordings and uploads as files.

Knows `ports`, `audio` and `wire`. Start reading at `store` and `records`.
"""

from bargein.store.query import Page, Query
from bargein.store.store import Store

__all__ = ["Page", "Query", "Store"]
