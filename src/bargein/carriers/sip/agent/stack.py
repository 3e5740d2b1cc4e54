"""The configuration of baresip, and its accounts.

Reasons, found by failures: without `video_codecs=none` baresip sends a second INVITE right after an answer; without an
explicit limit it accepts two calls; without `expose_headers` the called number is not known.
"""

from baresip.config import Account as SipAccount
from baresip.config import Config

from bargein.carriers.sip.messages import Account, Configure, MediaEncryption

CODECS = ("opus/48000/2", "g722/16000/1", "pcmu", "pcma")
WIDE_HZ = 16_000
SILENT_S = 60
"""A far end that sends no RTP for this long, without having put the call on hold, is gone."""

_ENCRYPTION: dict[MediaEncryption, tuple[str, ...]] = {
    "none": (),
    "offered": ("mediaenc=srtp",),
    "required": ("mediaenc=srtp-mand",),
}


def config_of(order: Configure) -> Config:
    """Return the stack's configuration."""
    first, last = order.rtp_ports
    lines = [
        f"sip_listen {order.listen}",
        f"sip_transports {','.join(order.transports)}",
        "sip_verify_server yes",
        f"rtp_ports {first}-{last}",
        "audio_jitter_buffer_type adaptive",
        "audio_jitter_buffer_ms 20-160",
        "rtcp_mux no",
    ]
    if order.certificate is not None:
        lines.append(f"sip_certificate {order.certificate}")
    if order.authorities is not None:
        lines.append(f"sip_cafile {order.authorities}")
    return Config(
        net_interface=order.interface,
        max_concurrent_calls=order.most_calls,
        expose_headers=order.headers,
        rtp_timeout=SILENT_S,
        native_log_level="error",
        extra_config_text="\n".join(lines) + "\n",
    )


def listening_account(order: Configure, transport: str) -> SipAccount:
    """Return the account that receives all calls over one transport, whatever address they call."""
    host = order.listen.rpartition(":")[0]
    return SipAccount(
        user="bargein",
        domain=host,
        password="",
        reg_interval=0,
        transport="tls" if transport == "tls" else "tcp" if transport == "tcp" else "udp",
        audio_codecs=CODECS,
        dtmf_mode="auto",
        extra_params=("catchall=yes", "video_codecs=none", *_ENCRYPTION["offered"]),
    )


def account_of(account: Account, *, registered: bool = False) -> SipAccount:
    """Return the account of outbound calls or of a registration.

    Raises:
        ValueError: a part of it cannot be written in SIP; the text does not quote the password.
    """
    try:
        return SipAccount(
            user=account.user,
            domain=account.domain,
            password=account.password or "",
            auth_user=account.auth_user,
            registrar=None if account.proxy is None else f"sip:{account.proxy};transport={account.transport}",
            reg_interval=300 if registered else 0,
            transport=account.transport,
            audio_codecs=CODECS,
            dtmf_mode="auto",
            extra_params=("video_codecs=none", *_ENCRYPTION[account.encryption]),
        )
    except ValueError:
        raise ValueError(
            "the trunk's user, domain, password or proxy has a character that SIP does not allow"
        ) from None
