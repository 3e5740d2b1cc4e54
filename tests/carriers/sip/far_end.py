"""A telephone made of baresip, in a process of its own, for what the test telephone does not support: Opus, SRTP, TLS.

It calls `argv[1]` over the transport `argv[2]` with the codecs `argv[3]` and the encryption `argv[4]` (srtp-mand or
none), trusting the certificates in `argv[5]`; says a tone, keeps what it hears, and prints one line of JSON.
"""

import asyncio
import json
import sys

import baresip
import numpy as np
from baresip.config import Account, Config
from baresip.runtime import Runtime
from baresip.ua import UserAgent

from bargein.carriers.sip.agent.outbound import dial


async def main(to: str, transport: str, codecs: str, encryption: str, authorities: str) -> None:
    extra = f"sip_listen 127.0.0.1:0\nsip_cafile {authorities}\n" if authorities else "sip_listen 127.0.0.1:0\n"
    runtime = Runtime()
    await runtime.start(Config(net_interface="127.0.0.1", extra_config_text=extra))
    params = ("video_codecs=none", *((f"mediaenc={encryption}",) if encryption != "none" else ()))
    agent = await UserAgent.create(
        runtime,
        Account(
            user="far",
            domain="127.0.0.1",
            password="",
            reg_interval=0,
            transport=transport,  # type: ignore[arg-type]
            audio_codecs=tuple(codecs.split(",")),
            extra_params=params,
        ),
    )
    call, catch_up = await dial(runtime, agent, f"{to};transport={transport}")
    encrypted: list[str] = []
    call.on(lambda event: encrypted.append(event.text or "") if event.event.name == "CALL_MENC" else None)
    catch_up()
    try:
        await call.wait_established(8)
    except baresip.CallFailed as error:
        print(json.dumps({"failed": str(error)}))  # noqa: T201  # read by the test
        return
    info = call.audio.info()
    while not (info.tx_ready and info.rx_ready):
        await asyncio.sleep(0.01)
        info = call.audio.info()
    rate, channels = info.tx_sample_rate, info.tx_channels
    tone = (np.sin(2 * np.pi * 3000 / rate * np.arange(rate)) * 8000).astype("<i2")
    left = np.repeat(tone, channels).tobytes()
    heard = b""
    for _ in range(60):
        left = left[call.audio.write(left) :] if left else left
        await asyncio.sleep(0.02)
        heard += call.audio.read(64_000)
    sound = np.frombuffer(heard, "<i2")[:: info.rx_channels].astype(float)
    spectrum = np.abs(np.fft.rfft(sound[-info.rx_sample_rate // 2 :]))
    peak = float(spectrum.argmax() * 2)
    await call.hangup()
    print(  # noqa: T201
        json.dumps({"rate": rate, "peak_hz": peak, "loudest": float(np.abs(sound).max()), "encrypted": encrypted})
    )
    await runtime.close()


asyncio.run(main(*sys.argv[1:6]))
