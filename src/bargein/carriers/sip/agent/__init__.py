"""The SIP user agent, a process of its own, because the death of a SIP thread ends its process.

`python -m bargein.carriers.sip.agent FD` serves the server that started it, over the socket that it inherits as `FD`,
and ends when that server ends. Only this package imports baresip. Start with `switch`, which executes orders and has
the calls; `agent_call` is one call, `audio_bridge` its audio, `stack` baresip's configuration.
"""
