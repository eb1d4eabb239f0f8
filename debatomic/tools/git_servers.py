"""Where git is sent to fetch: addresses that may be asked at all, and the way to the one server that was looked at."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.request import getproxies, proxy_bypass

from debatomic.tools.errors import InfrastructureError, InputError

ADDRESS = re.compile(r"(https?|ssh|file)://[!-~]+")
SERVER = re.compile(r"(https?|ssh)://(?:[\w.-]+@)?(\[[0-9A-Fa-f:.]+\]|\w(?:[\w.-]*\w)?)(?::(\d{1,5}))?(/.*)?", re.ASCII)
PORTS = {"https": 443, "http": 80, "ssh": 22}
HOSTS_VARIABLE = "DEBATOMIC_GIT_HOSTS"
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # IPv4 addresses, for machines without IPv4


def check_address(url: str, protocols: Collection[str]) -> None:
    """Raises InputError (field url) for what git is not to be asked."""
    if not ADDRESS.fullmatch(url):
        raise InputError("The address of a repository begins with https:// and has no spaces.", field="url")
    protocol = url.partition(":")[0]
    if protocol not in protocols:
        raise InputError(f"Repositories are fetched by {' or '.join(protocols)} here, not by {protocol}.", field="url",
                         hint="DEBATOMIC_GIT_PROTOCOLS allows more.")  # fmt: skip
    if "@" in url.partition("://")[2].partition("/")[0] and protocol != "ssh":
        raise InputError("An address with a password in it would be shown to everybody.", field="url")
    if protocol != "file" and not SERVER.fullmatch(url):
        raise InputError("The address names no server that can be looked up.", field="url")


@dataclass(frozen=True, kw_only=True)
class Way:
    """How git gets to the server that was looked at, and to no other: options of git, and variables."""

    options: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


def way(url: str, hosts: Collection[str]) -> Way:
    """The way to an address that `check_address` lets pass.

    `hosts` are names, addresses and networks that may be asked although they are not public. A proxy looks names up
    itself, and then only addresses written as such are judged here. Raises InputError, InfrastructureError.
    """
    found = SERVER.fullmatch(url)
    if not found:
        return Way()
    protocol, host = found[1], found[2].strip("[]").lower()
    proxy = _proxy(protocol, host)
    literal = _looked_up(host, socket.AI_NUMERICHOST)
    addresses = literal or ([] if proxy else _looked_up(host))
    if not _may_be_asked(host, addresses, hosts) and (literal or not proxy):
        raise InputError(f"{host} has no public address that repositories may be fetched from here.",
                         hint=f"{HOSTS_VARIABLE} allows others.")  # fmt: skip
    if proxy:
        return Way(variables={"http_proxy": proxy, "https_proxy": proxy, "no_proxy": "", "NO_PROXY": ""})
    direct = {"no_proxy": "*", "NO_PROXY": "*"}
    if protocol == "ssh":
        pinned = f"ssh -oBatchMode=yes -oHostName={addresses[0]} -oHostKeyAlias={host}"
        return Way(variables={**direct, "GIT_SSH_COMMAND": pinned})
    if literal:
        return Way(variables=direct)
    answer = ",".join(f"[{each}]" if ":" in each else each for each in addresses)
    pin = f"http.curloptResolve={host}:{found[3] or PORTS[protocol]}:{answer}"
    return Way(options=("-c", pin), variables=direct)


def public(address: str) -> bool:
    """Whether anybody in the world would get to the same machine by it."""
    one = ipaddress.ip_address(address)
    if isinstance(one, ipaddress.IPv6Address):
        within = ipaddress.IPv4Address(int(one) & 0xFFFFFFFF) if one in NAT64 else one.ipv4_mapped or one.sixtofour
        one = within or one
    local = isinstance(one, ipaddress.IPv6Address) and one.is_site_local
    return one.is_global and not (one.is_multicast or one.is_reserved or local)


def _may_be_asked(host: str, addresses: Sequence[str], hosts: Collection[str]) -> bool:
    if host in {each.lower() for each in hosts}:
        return bool(addresses)
    networks = []
    for each in hosts:
        with suppress(ValueError):
            networks.append(ipaddress.ip_network(each.strip("[]"), strict=False))
    return bool(addresses) and all(
        public(each) or any(ipaddress.ip_address(each) in network for network in networks) for each in addresses
    )


def _looked_up(host: str, flags: int = 0) -> list[str]:
    """Its addresses, none where there is no such host."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=flags)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise InfrastructureError(f"{host} cannot be looked up now.") from None
        return []
    except UnicodeError:
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _proxy(protocol: str, host: str) -> str:
    """The proxy that the environment names for it."""
    proxies = getproxies()
    if protocol == "ssh" or proxy_bypass(host):
        return ""
    return proxies.get(protocol, "")
