"""A blueprint's firewall as a rule set of nftables: everything that is not named is dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from composes.pipeline.treefiles.marks import prefix
from composes.pipeline.treefiles.mistakes import near
from debatomic.tools.errors import InputError

# Services by the names firewalld gives them.
SERVICES: dict[str, tuple[str, ...]] = {
    "cockpit": ("9090:tcp",), "dhcp": ("67:udp",), "dhcpv6-client": ("546:udp",), "dns": ("53:tcp", "53:udp"),
    "docker-registry": ("5000:tcp",), "ftp": ("21:tcp",), "git": ("9418:tcp",), "http": ("80:tcp",),
    "http3": ("443:udp",), "https": ("443:tcp",), "imap": ("143:tcp",), "imaps": ("993:tcp",), "ipp": ("631:tcp",),
    "kerberos": ("88:tcp", "88:udp"), "ldap": ("389:tcp",), "ldaps": ("636:tcp",), "mdns": ("5353:udp",),
    "mountd": ("20048:tcp", "20048:udp"), "mqtt": ("1883:tcp",), "mysql": ("3306:tcp",), "nfs": ("2049:tcp",),
    "ntp": ("123:udp",), "openvpn": ("1194:udp",), "pop3": ("110:tcp",), "pop3s": ("995:tcp",),
    "postgresql": ("5432:tcp",), "rdp": ("3389:tcp",), "redis": ("6379:tcp",), "rpc-bind": ("111:tcp", "111:udp"),
    "samba": ("137:udp", "138:udp", "139:tcp", "445:tcp"), "smtp": ("25:tcp",), "smtps": ("465:tcp",),
    "snmp": ("161:udp",), "ssh": ("22:tcp",), "syslog": ("514:udp",), "telnet": ("23:tcp",), "tftp": ("69:udp",),
    "vnc-server": ("5900-5903:tcp",), "wireguard": ("51820:udp",), "xmpp-client": ("5222:tcp",),
}  # fmt: skip
BEGIN = """\
#!/usr/sbin/nft -f
flush ruleset

table inet filter {
    chain input {
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        ct state invalid drop
        iif "lo" accept
        meta l4proto { icmp, ipv6-icmp } accept
        udp dport { 68, 546 } accept
"""
END = """\
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
    }
    chain output {
        type filter hook output priority filter; policy accept;
    }
}
"""


def rules(firewall: Mapping[str, Any]) -> str:
    """The rule set for /etc/nftables.conf. Raises InputError with the line of what nobody knows."""
    services = firewall.get("services", {})
    disabled = set(services.get("disabled", ()))
    for name in disabled:
        _ports_of(name)
    wanted = [port for name in services.get("enabled", ()) if name not in disabled for port in _ports_of(name)]
    wanted += [port for said in firewall.get("ports", ()) for port in _plain(said)]
    return BEGIN + "".join(_lines(wanted)) + END


def _plain(said: str) -> Iterable[str]:
    """`22:tcp` as it is, `imap:tcp` by its number."""
    port, _, protocol = said.partition(":")
    if port[0].isdigit():
        numbers = [int(number) for number in port.split("-")]
        if not all(0 < number < 65536 for number in numbers) or sorted(numbers) != numbers:
            raise InputError(f"{prefix(said)}there is no port {said}: ports are numbers from 1 to 65535.")
        return [said]
    known = [each for each in _ports_of(port, said) if each.endswith(f":{protocol}")]
    if not known:
        raise InputError(f"{prefix(said)}{port} does not use {protocol}.")
    return known


def _ports_of(name: str, said: str = "") -> tuple[str, ...]:
    if name not in SERVICES:
        raise InputError(f"{prefix(said or name)}the ports of the service {name} are not known{near(name, SERVICES)}",
                         hint="Name the ports, as in ports: ['8080:tcp'].")  # fmt: skip
    return SERVICES[name]


def _lines(ports: Iterable[str]) -> Iterable[str]:
    by_protocol: dict[str, list[tuple[int, int]]] = {}
    for port, _, protocol in (each.partition(":") for each in ports):
        first, _, last = port.partition("-")
        by_protocol.setdefault(protocol, []).append((int(first), int(last or first)))
    for protocol, spans in sorted(by_protocol.items()):
        told = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in _joined(spans))
        yield f"        {protocol} dport {{ {told} }} accept\n"


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without overlaps, which nft refuses."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found
