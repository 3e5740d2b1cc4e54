"""SIP messages and digest authentication (RFC 2617), as far as a telephone on loopback needs them."""

import hashlib
import re
import secrets
from dataclasses import dataclass

from bargein.errors import BargeinError


class RefusedError(BargeinError):
    """The far end refuses a call.

    Attributes:
        status: the SIP status of the response.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status


@dataclass
class Message:
    """A SIP message.

    Attributes:
        first: the request line or the status line.
        headers: names and values, in order.
        body: the body.
        source: the address that it came from.
    """

    first: str
    headers: list[tuple[str, str]]
    body: str
    source: tuple[str, int]

    @classmethod
    def read(cls, data: bytes, source: tuple[str, int]) -> "Message":
        """Read a message."""
        head, _, body = data.decode(errors="replace").partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        return cls(first, [(n.strip(), v.strip()) for n, _, v in (line.partition(":") for line in lines)], body, source)

    @property
    def method(self) -> str | None:
        """The method of a request; None for a response."""
        return None if self.first.startswith("SIP/2.0") else self.first.split(" ")[0]

    @property
    def status(self) -> int:
        """The status of a response."""
        return int(self.first.split(" ")[1])

    def get(self, name: str) -> str:
        """Return the first header of this name; empty if there is none."""
        return next((value for found, value in self.headers if found.lower() == name.lower()), "")

    def all(self, name: str) -> list[str]:
        """Return all headers of this name."""
        return [value for found, value in self.headers if found.lower() == name.lower()]

    @property
    def tag(self) -> str:
        """The tag of the To header; empty if it has none."""
        found = re.search(r";tag=([^;>\s]+)", self.get("To"))
        return found[1] if found else ""


def md5(text: str) -> str:
    """Return the MD5 of a text in hexadecimal, as digest uses it."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def digest(challenge: str, user: str, password: str, method: str, uri: str) -> str:
    """Return the Authorization header for a challenge (RFC 2617), with or without qop."""
    given = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
    ha1, ha2 = md5(f"{user}:{given['realm']}:{password}"), md5(f"{method}:{uri}")
    parts = f'username="{user}", realm="{given["realm"]}", nonce="{given["nonce"]}", uri="{uri}", algorithm=MD5'
    if "qop" in given:
        cnonce = secrets.token_hex(4)
        answer = md5(f"{ha1}:{given['nonce']}:00000001:{cnonce}:auth:{ha2}")
        return f'Digest {parts}, qop=auth, nc=00000001, cnonce="{cnonce}", response="{answer}"'
    answer = md5(":".join((ha1, given["nonce"], ha2)))
    return f'Digest {parts}, response="{answer}"'


def is_authorized(authorization: str, user: str, password: str, realm: str, method: str) -> bool:
    """Return whether an Authorization header is that of this user."""
    given = dict(re.findall(r'(\w+)="?([^",\s]+)"?', authorization))
    if given.get("username") != user:
        return False
    ha1, ha2 = md5(f"{user}:{realm}:{password}"), md5(f"{method}:{given['uri']}")
    middle = f"{given['nonce']}:{given['nc']}:{given['cnonce']}:auth" if "qop" in given else given["nonce"]
    return given["response"] == md5(f"{ha1}:{middle}:{ha2}")
