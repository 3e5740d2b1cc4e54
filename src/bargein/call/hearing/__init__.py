"""From the caller's audio to events for the engine.

`audio_input` runs each frame through voice activity detection, transcription, `overlap` (is a voice over the assistant
an interruption?) and `pauses` (is a pause the end of the turn?), and posts the events. `voicemail` detects
machines that answer outbound calls by what `answering` knows of their words, `dtmf` collects keys, `transcription`
replaces the transcriber at a handoff.

May import `call.context`, `call.tools`, `call.record` and `call.plan`, but not `call.speaking` or `call.clients`. Start
with `audio_input`.
"""
