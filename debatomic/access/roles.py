"""Who may do what: the whole of it, as one table. Pages, API and WebSockets ask `user.may(...)` and nothing else."""

from __future__ import annotations

from typing import Final

VIEWER, PACKAGER, RELEASE_MANAGER, ADMINISTRATOR = "viewer", "packager", "release-manager", "administrator"

TITLES: Final = {
    VIEWER: "Viewer",
    PACKAGER: "Packager",
    RELEASE_MANAGER: "Release manager",
    ADMINISTRATOR: "Administrator",
}

_V, _P, _R, _A = "v", "p", "r", "a"
_LETTER = {VIEWER: _V, PACKAGER: _P, RELEASE_MANAGER: _R, ADMINISTRATOR: _A}

# right                     who has it
TABLE: Final = {
    "tasks.view":           "v p r a",
    "builds.view":          "v p r a",
    "composes.view":        "v p r a",
    "chroots.view":         "v p r a",
    "hosts.view":           "v p r a",
    "artifacts.view":       "v p r a",
    "builds.submit":        "p r a",
    "builds.scratch":       "p r a",
    "builds.compare":       "p r a",
    "builds.override":      "r a",      # into its tag although a check blocks it, with a reason
    "builds.cancel":        "r a",      # one's own build: whoever submitted it
    "tasks.cancel":         "r a",
    "tasks.retry":          "r a",
    "tasks.prioritize":     "r a",
    "schedules.edit":       "r a",      # one's own: whoever made it
    "composes.submit":      "r a",
    "composes.cancel":      "r a",
    "composes.publish":     "r a",
    "composes.override":    "r a",      # publish although a gate blocks, with a reason
    "composes.define":      "r a",      # a treefile's repositories run code as root on the host that composes
    "targets.edit":         "r a",
    "tags.edit":            "r a",      # what is in a tag, and its repository
    "chroots.try":          "p r a",    # run a script in a buildroot, as a build's rules run
    "tags.promote":         "p r a",    # what a promotion policy lets pass
    "tags.override":        "r a",      # promote, or tag, what a policy holds back, with a reason
    "tags.policies":        "r a",      # make and change promotion policies
    "chroots.refresh":      "r a",
    "chroots.edit":         "a",
    "chroots.network":      "a",        # give that script the network of the host, with what listens on its loopback
    "hosts.edit":           "a",
    "retention.view":       "a",
    "users.edit":           "a",
    "audit.view":           "a",
}  # fmt: skip


def rights_of(role: str) -> frozenset[str]:
    """The rights a role has; none for an unknown role."""
    letter = _LETTER.get(role, "")
    return frozenset(right for right, who in TABLE.items() if letter and letter in who.split())
