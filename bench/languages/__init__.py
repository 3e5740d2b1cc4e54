"""Measures turn-taking in languages other than English, by the sound of synthetic voices."""
