"""One live call: from the caller's audio to the assistant's, with the engine (`bargein.turns`) between them.

`session` runs the call and steps the engine; `components` is the one place where a call's parts are made and wired;
`context` is what each part may know of the call. The packages: `hearing`, `speaking`, `tools`, `clients`, `plan` (the
assistant's JSON to the engine's plan), `record` (journal, summary, artifact) and `tuning` (tries other plans on
recorded calls).

A call knows the protocols of `bargein.ports`, and no vendor, carrier, server or database. Start with `session`.
"""
