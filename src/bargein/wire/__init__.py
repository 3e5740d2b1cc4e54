"""Vapi's JSON as types: the fields that the server uses are typed, unknown fields are kept and written back.

Pure: imports only pydantic and `bargein.errors`. Start reading at `base` (how a type is declared) and `assistant`; then
`call`, `client_messages` and `client_controls` for a call, `contract` for the rest of Vapi's types as data, `errors`
for the validation of a request, and `json` for reading JSON of unknown shape.
"""
