"""What outlasts the process: assistants, calls, phone numbers and tools in one database."""

from bargein.store.store import Page, Query, Store

__all__ = ["Page", "Query", "Store"]
