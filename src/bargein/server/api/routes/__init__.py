"""The routes of the server, one module for each REST resource or group of other routes.

A module defines a `router` and, if it is a REST resource, a `RESOURCE`. No module imports another of this package; what
two of them need is a module of `bargein.server.api`.
"""
