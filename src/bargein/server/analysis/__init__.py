"""The model's work after a call: its summary, structured data, evaluation and structured outputs.

`plan` says what an assistant asks for, `prompts`, `rubrics`, `conditions`, `answers` and `schemas` are its pure parts,
`asking` puts one question to a model, and `analyst` does all of it for one call.
"""
