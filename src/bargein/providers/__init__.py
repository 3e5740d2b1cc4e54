"""Vendors: transcribers, models and voices, one folder for each vendor.

`interface` has the spec that a vendor's folder exports, `registry` the list of vendors. What vendors share:

- all of them: `http`, `socket`, and `vendor_errors` for the vendor's words in an error;
- models: `model_server`, `conversation` and `thoughts`; those that speak OpenAI's chat completions also `chat`,
  `chat_chunks`, `chat_tools` and `chat_vendor`;
- transcribers: `streaming_stt` (a vendor is a `Dialect`), on `audio_socket`, `utterances`,
  `stt_account` and `stt_messages`;
- voices: `http_tts` or `socket_tts`, on `voice_audio` and `voice_errors`.

`fallback_transcriber`, `fallback_voice` and `speech_cache` wrap parts of any vendor (`fallbackPlan`, `cachingEnabled`).

One vendor never imports another, and none knows calls or the server: a vendor implements the interfaces of
`bargein.ports` and imports `audio`, `wire`, `settings` and `clock`. Start with `groq/__init__.py`, the smallest;
docs/extending.md walks through adding one.
"""
