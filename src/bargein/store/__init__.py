"""What outlasts the process: assistants, calls, phone numbers and tools in one database."""

from bargein.store.query import Page, Query
from bargein.store.store import Store

__all__ = ["Page", "Query", "Store"]
