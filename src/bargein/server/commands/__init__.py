"""Commands that need no running server: `bargein check`, and the trial of a vendor of `bargein doctor`."""
