"""The upstream tarball of a package kept in git: bit for bit by pristine-tar, else made of upstream's tag."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from debatomic.tools.errors import CommandFailed, InputError
from debatomic.tools.git import REF, Jail

PACKERS = {"xz": ("xz", "-6"), "gzip": ("gzip", "-9n")}
TAGS = ("upstream/%(version)s", "v%(version)s", "%(version)s")


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """Of which package; `settings` are those of debian/gbp.conf about tags and branches."""

    name: str
    version: str
    settings: Mapping[str, str] = field(default_factory=dict)
    packer: str = "xz"  # one of PACKERS; format 1.0 knows gzip alone

    @property
    def number(self) -> str:
        """The version without epoch and Debian revision."""
        return (self.version.partition(":")[2] or self.version).rpartition("-")[0] or self.version

    def tags(self) -> Iterator[str]:
        """Names of tags to look for, as git-buildpackage writes versions in them."""
        number = self.number.replace("~", "_").replace(":", "%")
        own = self.settings.get("upstream-tag", "")
        for pattern in dict.fromkeys(filter(None, (own, *TAGS))):
            name = pattern.replace("%(version)s", number)
            if REF.fullmatch(name):
                yield name


def orig(jail: Jail, wanted: Upstream, say: Callable[[str], object]) -> str:
    """Put the tarball into /work; where it is from, for people. Raises InputError where there is none."""
    tag = _tag(jail, wanted)
    if tag is None:
        looked = ", ".join(wanted.tags())
        raise InputError(
            f"There is no upstream tarball of {wanted.name} {wanted.number}: no tag {looked}.",
            hint="Push upstream's tag, name it in debian/gbp.conf, or upload the source package.",
        )
    if name := _pristine(jail, wanted):
        say(f"{name} is made by pristine-tar.")
        return f"pristine-tar, {tag}"
    _archived(jail, wanted)
    say(f"The upstream tarball is made of the tag {tag}.")
    return f"tag {tag}"


def _tag(jail: Jail, wanted: Upstream) -> str | None:
    for tag in wanted.tags():
        try:
            jail.fetch(f"+refs/tags/{tag}:refs/tags/upstream", what=f"tag {tag}")
        except InputError:
            continue
        return tag
    return None


def _pristine(jail: Jail, wanted: Upstream) -> str:
    """The tarball's name if the branch pristine-tar has it; else empty."""
    try:
        jail.fetch("+refs/heads/pristine-tar:refs/heads/pristine-tar", what="branch pristine-tar")
    except InputError:
        return ""
    listed = jail.git("ls-tree", "--name-only", "pristine-tar").stdout.split()
    begins = f"{wanted.name}_{wanted.number}.orig.tar."
    found = [each.removesuffix(".delta") for each in listed if each.startswith(begins) and each.endswith(".delta")]
    if not found:
        return ""
    try:
        jail.run("pristine-tar", "checkout", f"/work/{found[0]}",
                 env={"GIT_DIR": "/work/repository", "GIT_CONFIG_GLOBAL": "/work/gitconfig"})  # fmt: skip
    except CommandFailed as error:
        raise InputError(f"pristine-tar cannot make {found[0]}.", lines=error.tail.splitlines()[-20:]) from error
    return found[0]


def _archived(jail: Jail, wanted: Upstream) -> None:
    """A tarball of the tag, the same for the same tag; made in the jail, too."""
    name = f"{wanted.name}_{wanted.number}.orig.tar"
    prefix = f"--prefix={wanted.name}-{wanted.number}/"
    jail.git("archive", "--format=tar", prefix, f"--output=/work/{name}", "upstream")
    jail.run(*PACKERS[wanted.packer], f"/work/{name}")
