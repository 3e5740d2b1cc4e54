"""SIP messages as text, and digest (RFC 2617), as far as a telephone on loopback needs them."""

import hashlib
import re
import secrets
from dataclasses import dataclass

from bargein.errors import BargeinError


class RefusedError(BargeinError):
    """Whoever was called has refused.

    Attributes:
        status: with this.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status


@dataclass
class Message:
    """A SIP message, read."""

    first: str
    headers: list[tuple[str, str]]
    body: str
    source: tuple[str, int]

    @classmethod
    def read(cls, data: bytes, source: tuple[str, int]) -> "Message":
        """Read one."""
        head, _, body = data.decode(errors="replace").partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        return cls(first, [(n.strip(), v.strip()) for n, _, v in (line.partition(":") for line in lines)], body, source)

    @property
    def method(self) -> str | None:
        """Of a request."""
        return None if self.first.startswith("SIP/2.0") else self.first.split(" ")[0]

    @property
    def status(self) -> int:
        """Of a response."""
        return int(self.first.split(" ")[1])

    def get(self, name: str) -> str:
        """The first header of that name."""
        return next((value for found, value in self.headers if found.lower() == name.lower()), "")

    def all(self, name: str) -> list[str]:
        """Every header of that name."""
        return [value for found, value in self.headers if found.lower() == name.lower()]

    @property
    def tag(self) -> str:
        """Of the To header."""
        found = re.search(r";tag=([^;>\s]+)", self.get("To"))
        return found[1] if found else ""


def md5(text: str) -> str:
    """As digest takes it."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def digest(challenge: str, user: str, password: str, method: str, uri: str) -> str:
    """The Authorization of RFC 2617, with or without qop."""
    given = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
    ha1, ha2 = md5(f"{user}:{given['realm']}:{password}"), md5(f"{method}:{uri}")
    parts = f'username="{user}", realm="{given["realm"]}", nonce="{given["nonce"]}", uri="{uri}", algorithm=MD5'
    if "qop" in given:
        cnonce = secrets.token_hex(4)
        answer = md5(f"{ha1}:{given['nonce']}:00000001:{cnonce}:auth:{ha2}")
        return f'Digest {parts}, qop=auth, nc=00000001, cnonce="{cnonce}", response="{answer}"'
    answer = md5(":".join((ha1, given["nonce"], ha2)))
    return f'Digest {parts}, response="{answer}"'


def proves(authorization: str, user: str, password: str, realm: str, method: str) -> bool:
    """Whether an Authorization proves who sends it."""
    given = dict(re.findall(r'(\w+)="?([^",\s]+)"?', authorization))
    if given.get("username") != user:
        return False
    ha1, ha2 = md5(f"{user}:{realm}:{password}"), md5(f"{method}:{given['uri']}")
    middle = f"{given['nonce']}:{given['nc']}:{given['cnonce']}:auth" if "qop" in given else given["nonce"]
    return given["response"] == md5(f"{ha1}:{middle}:{ha2}")
