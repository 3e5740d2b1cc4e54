"""The configuration of Kamailio, the SIP proxy in front; it is written from the stored numbers and never read.

Kamailio sees what the SIP agent cannot: the source address of an INVITE, and whether its sender knows a password. It
admits the gateways of stored trunks, and callers of a stored SIP URI (with digest if the number has `authentication`),
and passes this on to the agent in a header with a secret that the two share. All others get 403; floods are dropped.

Values from the API are written only if they match a strict pattern, so that none of them can be configuration.
"""

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bargein.carriers.interface import PhoneLine
from bargein.carriers.sip.inbound import EDGE, MOST_PACKED, PACKED
from bargein.carriers.sip.number import BYO, VAPI
from bargein.carriers.sip.trunk import gateways_of, network_of
from bargein.carriers.sip.uris import read_uri
from bargein.errors import BargeinError
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object_or_none

CONFIG = "kamailio.cfg"
AGENTS = "agents.list"

_WORD = re.compile(r"[A-Za-z0-9._~+*#=-]{1,128}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}")
_PATH = re.compile(r"[A-Za-z0-9 ._/+~=-]{1,512}")
_INVITES_PER_S = 200
_MOST_REQUESTS = 60  # from one address within two seconds; then it is blocked for a while


class ConfigError(BargeinError, ValueError):
    """A value cannot be written into the configuration; the text names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The addresses and files of Kamailio.

    Attributes:
        address: the address of the interface that receives calls from outside.
        port: the port for UDP and TCP.
        public_address: the address of that interface from outside, if it is another (behind 1:1 NAT).
        agent: address and port of the SIP agent.
        inner: address and port at which the agent reaches Kamailio, if that is not `address`.
        tls_port: the port for TLS, which needs the next two.
        certificate: a PEM file with certificate and chain.
        key: a PEM file with the key.
        folder: the folder that the configuration is written to.
    """

    address: str
    port: int = 5060
    public_address: str | None = None
    agent: str = "127.0.0.1:5080"
    inner: str | None = None
    tls_port: int = 5061
    certificate: str | None = None
    key: str | None = None
    folder: str = "."


def agents_of(edge: Edge) -> str:
    """Return the dispatcher's list of SIP agents."""
    return f"1 sip:{edge.agent} 0 0\n"


def configuration_of(
    edge: Edge, phone_lines: Mapping[str, Mapping[str, PhoneLine]], secret: str
) -> tuple[str, list[str]]:
    """Return the configuration, and a text for each number that was left out.

    Args:
        edge: the addresses and files of Kamailio.
        phone_lines: the stored numbers, by provider and id.
        secret: the secret that Kamailio shares with the server.

    Raises:
        ConfigError: an address or a path of `edge` cannot be written.
    """
    _check(edge, secret)
    skipped: list[str] = []
    uris = [
        _uri(number_id, phone_line.number, skipped)
        for number_id, phone_line in sorted(phone_lines.get(VAPI, {}).items())
    ]
    networks = sorted(
        {network for phone_line in phone_lines.get(BYO, {}).values() for network in _networks(phone_line.credential)}
    )
    parts = (
        _head(edge),
        _TRUNKED % {"gateways": " || ".join(f"src_ip == {network}" for network in networks) or "0"},
        _ROUTES % {"fix_sdp": _fix_sdp(edge)},
        "route[URIS] {\n" + "".join(filter(None, uris)) + "}\n",
        _ADMITTED % {"edge": EDGE, "packed": PACKED, "most": MOST_PACKED, "secret": secret},
    )
    return "\n".join(parts), skipped


def _check(edge: Edge, secret: str) -> None:
    ipaddress.ip_address(edge.address)
    if edge.public_address is not None:
        ipaddress.ip_address(edge.public_address)
    for path in (edge.certificate, edge.key, edge.folder):
        if path is not None and not _PATH.fullmatch(path):
            raise ConfigError(f"the path {path!r} has a character that cannot be written into a configuration")
    for place in (edge.agent, edge.inner):
        if place is not None and not re.fullmatch(r"[0-9.]{7,15}:[0-9]{1,5}", place):
            raise ConfigError(f"{place!r} is not an IPv4 address with a port")
    if not _WORD.fullmatch(secret):
        raise ConfigError("the secret has a character that cannot be written into a configuration")


def _networks(trunk: JsonObject | None) -> list[str]:
    return [network for gateway in gateways_of(trunk) if (network := network_of(gateway)) is not None]


def _uri(number_id: str, number: JsonObject, skipped: list[str]) -> str:
    """Return the route that admits callers of one SIP URI."""
    uri = read_uri(str(number.get("sipUri") or ""))
    if uri is None or not _WORD.fullmatch(uri.user) or not _HOST.fullmatch(uri.host):
        skipped.append(f"phone number {number_id}: its sipUri cannot be called")
        return ""
    required = as_object_or_none(number.get("authentication"))
    digest = ""
    if required is not None:
        realm = str(required.get("realm") or uri.host)
        user, password = str(required.get("username")), str(required.get("password"))
        if not _HOST.fullmatch(realm) or not _WORD.fullmatch(user):
            skipped.append(f"phone number {number_id}: its authentication's realm or username cannot be written")
            return ""
        ha1 = hashlib.md5(f"{user}:{realm}:{password}".encode(), usedforsecurity=False).hexdigest()
        digest = _DIGEST % {"realm": realm, "user": user, "ha1": ha1}
    return _URI % {"user": uri.user.lower(), "host": uri.host, "digest": digest}


def _head(edge: Edge) -> str:
    """Return the part with sockets, modules and their parameters."""
    advertise = f" advertise {edge.public_address}:{edge.port}" if edge.public_address else ""
    listen = [f"listen={proto}:{edge.address}:{edge.port}{advertise}" for proto in ("udp", "tcp")]
    if edge.inner is not None:
        listen.append(f"listen=udp:{edge.inner}")
    tls = ""
    if edge.certificate is not None and edge.key is not None:
        egress = f" advertise {edge.public_address}:{edge.tls_port}" if edge.public_address else ""
        listen.append(f"listen=tls:{edge.address}:{edge.tls_port}{egress}")
        tls = _TLS % {"certificate": edge.certificate, "key": edge.key}
    return _HEAD % {
        "listen": "\n".join(listen),
        "tls": tls,
        "agents": f"{edge.folder}/{AGENTS}",
        "invites": _INVITES_PER_S,
        "requests": _MOST_REQUESTS,
    }


def _fix_sdp(edge: Edge) -> str:
    """Return the statement that puts the public address into the agent's SDP."""
    if edge.public_address is None:
        return ""
    return f'  if (has_body("application/sdp")) fix_nated_sdp("10", "{edge.public_address}");\n'


_HEAD = """\
#!KAMAILIO
# Written by `bargein sip config` from the stored phone numbers. Run that again when they change; do not edit this file.
# It holds secrets: only Kamailio may read it.
debug=1
log_stderror=yes
fork=yes
children=2
tcp_children=2
auto_aliases=no
server_signature=no
%(listen)s

loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "textopsx.so"
loadmodule "siputils.so"
loadmodule "sanity.so"
loadmodule "xlog.so"
loadmodule "auth.so"
loadmodule "nathelper.so"
loadmodule "dispatcher.so"
loadmodule "pike.so"
loadmodule "ratelimit.so"
%(tls)s
modparam("auth", "nonce_expire", 60)
modparam("auth", "qop", "auth")
modparam("rr", "enable_full_lr", 1)
modparam("tm", "failure_reply_mode", 3)
modparam("tm", "fr_timer", 5000)
modparam("tm", "fr_inv_timer", 180000)
modparam("dispatcher", "list_file", "%(agents)s")
modparam("dispatcher", "ds_ping_interval", 5)
modparam("dispatcher", "ds_probing_mode", 1)
modparam("pike", "sampling_time_unit", 2)
modparam("pike", "reqs_density_per_unit", %(requests)d)
modparam("pike", "remove_latency", 4)
modparam("ratelimit", "timer_interval", 1)
modparam("ratelimit", "pipe", "1:TAILDROP:%(invites)d")
"""

_TLS = """\
loadmodule "tls.so"
enable_tls=yes
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "%(certificate)s")
modparam("tls", "private_key", "%(key)s")
"""

_TRUNKED = """\
# Is the source a gateway of a stored trunk?
route[TRUNKED] {
  if (%(gateways)s) return 1;
  return -1;
}
"""

_ROUTES = """\
request_route {
  $var(inside) = 0;
  if (ds_is_from_list("1", "2")) $var(inside) = 1;
  if ($var(inside) == 0 && !route(TRUNKED) && !pike_check_req()) exit;
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (!sanity_check("1511", "7")) exit;
  force_rport();
  if (is_method("CANCEL")) {
    if (t_check_trans()) t_relay();
    exit;
  }
  if (has_totag()) {
    if (loose_route()) {
      route(SDP);
      if ($du == $null) handle_ruri_alias();
      t_on_reply("REPLIES");
      t_relay();
      exit;
    }
    if (is_method("ACK") && t_check_trans()) t_relay();
    exit;
  }
  if (is_method("ACK")) exit;
  t_check_trans();
  if (is_method("OPTIONS") && uri == myself && $rU == $null) { sl_send_reply("200", "OK"); exit; }
  if ($var(inside) == 1) { route(OUT); exit; }
  if (!is_method("INVITE")) { sl_send_reply("405", "Method Not Allowed"); exit; }
  if (!rl_check("1")) { sl_send_reply("503", "Too Many Calls"); exit; }
  remove_hf_re("^[Xx]-[Bb]argein-.*");
  $var(proven) = "-";
  $var(known) = 0;
  route(URIS);
  if ($var(known) == 0 && !route(TRUNKED)) { sl_send_reply("403", "Forbidden"); exit; }
  route(IN);
}

# The agent places a call, or registers with a trunk.
route[OUT] {
  if (!is_method("INVITE|REGISTER")) { sl_send_reply("405", "Method Not Allowed"); exit; }
  remove_hf("Route");
  if (is_method("INVITE")) record_route();
  route(SDP);
  t_on_reply("REPLIES");
  if (!t_relay()) sl_reply_error();
}

route[SDP] {
  if ($var(inside) == 0) return;
%(fix_sdp)s  return;
}

onreply_route[REPLIES] {
  $var(inside) = 0;
  if (ds_is_from_list("1", "2")) $var(inside) = 1;
  route(SDP);
  if ($var(inside) == 0 && nat_uac_test("1")) add_contact_alias();
}
"""

_DIGEST = """\
    if (!pv_www_authenticate("%(realm)s", "%(ha1)s", "1") || $au != "%(user)s") {
      www_challenge("%(realm)s", "1");
      exit;
    }
    $var(proven) = $au;
    consume_credentials();
"""

_URI = """\
  if ($(rU{s.tolower}) == "%(user)s" && $(rd{s.tolower}) == "%(host)s") {
%(digest)s    $var(known) = 1;
    return;
  }
"""

_ADMITTED = """\
# An admitted call goes to the agent.
route[IN] {
  $var(packed) = "";
  $var(n) = 1;
  if (hf_iterator_start("i")) {
    while (hf_iterator_next("i")) {
      if ($hfitname(i) =~ "^[Xx]-") {
        $var(one) = $hfitname(i) + "=" + $(hfitbody(i){s.urlencode.param}) + "&";
        $var(both) = $(var(packed){s.len}) + $(var(one){s.len});
        if ($(var(packed){s.len}) > 0 && $var(both) > 1000 && $var(n) < %(most)d) {
          append_hf("%(packed)s-$var(n): $var(packed)\\r\\n");
          $var(n) = $var(n) + 1;
          $var(packed) = "";
        }
        $var(packed) = $var(packed) + $var(one);
      }
    }
    hf_iterator_end("i");
  }
  if ($(var(packed){s.len}) > 0) append_hf("%(packed)s-$var(n): $var(packed)\\r\\n");
  append_hf("%(edge)s: %(secret)s $si $var(proven) $ru\\r\\n");
  if (nat_uac_test("1")) add_contact_alias();
  record_route();
  if (!ds_select_dst("1", "4")) { sl_send_reply("503", "Service Unavailable"); exit; }
  t_on_reply("REPLIES");
  if (!t_relay()) sl_reply_error();
  exit;
}
"""
