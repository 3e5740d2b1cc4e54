"""The SIP user agent: a process of its own, because a SIP thread that dies takes its process along.

`python -m bargein.carriers.sip.agent FD` serves the server that started it, over the socket it has inherited as `FD`,
and ends when that server goes. Only this package imports baresip.
"""
