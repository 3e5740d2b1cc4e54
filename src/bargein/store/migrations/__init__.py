"""Migrations of the tables, run at every start."""
