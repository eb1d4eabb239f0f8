"""The key `customizations` of treefiles: the names are those of blueprints, less what has no counterpart here."""

from __future__ import annotations

from composes.pipeline.treefiles.shapes import YES_OR_NO, Schema, list_of, mapping, text

NAME = text(r"[a-z_][a-z0-9_-]{0,30}", "a name of a user or group: small letters, digits, _ and -")
HASH = text(r"\$(y|gy|7|2b|6|5)\$[!-9;-~]+", "a password's hash as mkpasswd and openssl passwd -6 print it, such as "
            "$6$…; a plain password does not belong here")  # fmt: skip
KEYS = {
    "type": "string", "maxLength": 20000, "description": "SSH public keys, a line each, such as ssh-ed25519 AAAA…",
    "pattern": r"^((ssh-(ed25519|rsa)|ecdsa-sha2-nistp\d+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+( [^\n]*)?\n*)+$(?!\n)",
}  # fmt: skip
PATH = text(r"/[^\0-\x1f:\x7f]*[^\0-\x1f:/\x7f]", "an absolute path")
NUMBER: Schema = {"type": "integer", "minimum": 0, "maximum": 60000, "description": "a number from 0 to 60000"}
OWNER: Schema = {"anyOf": [NAME, NUMBER], "description": "the name or the number of a user or group"}
MODE = text(r"[0-7]{3,4}", "a mode of three or four octal digits in quotes, such as '0644'")
LINE = text(r"[^\0-\x1f:\"%]*", 'one line of text, without ", % and :')
UNIT = text(r"[A-Za-z0-9:_.@\\-]+", "the name of a systemd unit; without an ending it is a service")
PORT = text(r"([0-9]{1,5}(-[0-9]{1,5})?|[a-z][a-z0-9-]*):(tcp|udp|sctp|dccp)", "a port such as 22:tcp or 6000-6010:udp")
SERVICE = text(r"[a-z][a-z0-9-]*", "the name of a service, such as ssh")
HOST = text(r"[A-Za-z0-9:][A-Za-z0-9:.-]*", "the name or the address of a server")
KARGS = text(r"[!#-&(-~]+( [!#-&(-~]+)*", "kernel arguments with a space between, without quotes")
SIZE: Schema = {
    "description": "a number of bytes, or a size such as 10 GiB",
    "anyOf": [{"type": "integer", "minimum": 1}, text(r"[1-9][0-9]{0,17} ?([kMGT]i?B|B)?", "a size such as 10 GiB")],
}
DATE: Schema = {"type": "integer", "minimum": 0, "maximum": 100000, "description": "days since 1970-01-01"}

USER = mapping({
    "name": NAME, "description": LINE, "password": HASH, "key": KEYS, "home": PATH, "shell": PATH,
    "groups": list_of(NAME), "uid": NUMBER, "gid": NUMBER, "expiredate": DATE, "force_password_reset": YES_OR_NO,
}, "name")  # fmt: skip
GROUP = mapping({"name": NAME, "gid": NUMBER}, "name")
FILE = mapping({
    "path": PATH, "mode": MODE, "user": OWNER, "group": OWNER,
    "data": {"type": "string", "maxLength": 100_000, "description": "the text of the file"},
}, "path")  # fmt: skip
FOLDER = mapping({"path": PATH, "mode": MODE, "user": OWNER, "group": OWNER, "ensure_parents": YES_OR_NO}, "path")
CUSTOMIZATIONS = mapping({
    "hostname": text(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?", "the name of a machine"),
    "kernel": mapping({"append": KARGS}),
    "user": list_of(USER),
    "sshkey": list_of(mapping({"user": NAME, "key": KEYS}, "user", "key")),
    "group": list_of(GROUP),
    "timezone": mapping({
        "timezone": text(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", "a time zone such as Europe/Berlin"),
        "ntpservers": list_of(HOST),
    }),
    "locale": mapping({
        "languages": list_of(text(r"[A-Za-z_]+(\.[A-Za-z0-9-]+)?(@[a-z]+)?", "a locale such as de_DE.UTF-8")),
        "keyboard": text(r"[a-z]+(-[a-z0-9_]+)*", "a keyboard layout such as de or us-intl"),
    }),
    "firewall": mapping({
        "ports": list_of(PORT), "services": mapping({"enabled": list_of(SERVICE), "disabled": list_of(SERVICE)}),
    }),
    "services": mapping({"enabled": list_of(UNIT), "disabled": list_of(UNIT), "masked": list_of(UNIT)}),
    "filesystem": list_of(mapping({
        "mountpoint": text("/", "/, the one file system that an image has"), "minsize": SIZE,
    }, "mountpoint", "minsize")),
    "files": list_of(FILE),
    "directories": list_of(FOLDER),
})  # fmt: skip
NO_COUNTERPART = {
    "installer": "images are not installed by Anaconda: take the disk image, or the installer image of a compose",
    "installation_device": "nothing is installed by Anaconda: take the disk image",
    "iso": "the names in an installer image are the definition's",
    "disk": "an image has one root file system; say its size with image.size",
    "partitioning_mode": "an image has one root file system",
    "ignition": "use cloud-init, or files",
    "fdo": "there is no FIDO device onboarding in Debian's boot",
    "fips": "Debian has no FIPS mode",
    "openscap": "install openscap-scanner and run it where you need it",
    "repositories": "say repositories at the treefile's top: they are used for the compose",
    "rpm": "Debian's packages are no RPMs",
    "rhsm": "there is no subscription to manage",
    "containers-storage": "put containers on the machine after it is installed",
    "cacerts": "put certificates into a package, or fetch them at first boot",
    "ca": "put certificates into a package, or fetch them at first boot",
}
