"""SIP URIs and the headers that hold them (RFC 3261, section 19.1), as far as calls need them."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

_URI = re.compile(
    r"(?P<scheme>sips?):(?:(?P<user>[^@?>\s]{0,512}+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-_]+)(?::(?P<port>\d{1,5}))?"
    r"(?P<rest>[;?][^>\s]*)?",
    re.IGNORECASE,
)
_NAME = re.compile(r'^\s*+(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"\s*+|(?P<bare>[^<"]*+))<')
_NUMBER = re.compile(r"\+?[0-9]{3,20}")
_UNRESERVED = "-_.!~*'()&=+$,;?/"
_SEPARATORS = re.compile(r"[\s().\-]")


@dataclass(frozen=True, slots=True)
class SipUri:
    """A SIP URI.

    Attributes:
        user: unescaped, without its parameters; empty if there is none.
        host: in lower case.
        port: None if the URI has none.
    """

    user: str
    host: str
    port: int | None = None
    scheme: str = "sip"

    @property
    def address(self) -> str:
        """The URI without parameters."""
        at = quote(self.user, safe=_UNRESERVED) + "@" if self.user else ""
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}:{at}{self.host}{port}"

    @property
    def number(self) -> str | None:
        """The telephone number in the user part, without separators; None if there is none."""
        plain = _SEPARATORS.sub("", self.user)
        return plain if _NUMBER.fullmatch(plain) else None


def read_uri(text: str) -> SipUri | None:
    """Return the first SIP URI in a text or a header's value; None if there is none."""
    found = _URI.search(text)
    if found is None:
        return None
    user = unquote(found["user"] or "").partition(";")[0]
    port = None if found["port"] is None else int(found["port"])
    if port is not None and not 0 < port < 65536:
        return None
    return SipUri(user.partition(":")[0], found["host"].lower(), port, found["scheme"].lower())


def display_name(header: str) -> str | None:
    """Return the name in `"Display Name" <sip:user@domain>`; None if there is none."""
    found = _NAME.match(header)
    if found is None:
        return None
    name = re.sub(r"\\(.)", r"\1", found["quoted"]) if found["quoted"] is not None else found["bare"]
    return name.strip() or None


def same_address(one: SipUri, other: SipUri) -> bool:
    """Return whether two URIs name the same user at the same host, both compared without case, as by Vapi."""
    return (one.user.lower(), one.host) == (other.user.lower(), other.host)
