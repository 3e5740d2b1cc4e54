"""Fakes of vendors: servers on 127.0.0.1 that keep a vendor's own protocol, and do what a script says.

`<vendor>_stt`, `<vendor>_llm` and `<vendor>_tts` are written from the vendor's reference and SDK, not from the adapters
in `bargein.providers`.
"""
