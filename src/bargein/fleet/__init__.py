"""Several servers on one database, and work that outlives a process.

`jobs` runs jobs until they are done, `lease` decides which server owns a live call, and `ledger` writes the records of
live calls even if the database was away. Knows `ports` and `wire`; no database and no vendor. Start reading at `jobs`.
"""
