"""How soon the assistant yields on each telephone carrier."""
