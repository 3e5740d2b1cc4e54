"""The machine that answers an outbound call, by its words: a voicemail, a call screening service, or a menu.

`phrases` has what such machines say in each language that turn-taking knows; `classify` tells them apart, and from a
person. May import nothing of bargein.
"""

from bargein.call.hearing.answering.classify import Machine, classify

__all__ = ["Machine", "classify"]
