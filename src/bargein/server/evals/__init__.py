"""Evals: mock conversations that are played against an assistant's model, with checks of what it answers.

`judging` compares an answer with what was expected; `judge` asks a model for a verdict; `conversation` plays one
conversation; `runs` begins runs and does the jobs that play them. Start reading with `conversation`.

The package may import `bargein.server.chats`, `bargein.server.agents` and everything below the server.
"""
