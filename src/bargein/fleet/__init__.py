"""Many servers on one database, and work that outlives a process: jobs, who owns a live call, records that are owed."""
