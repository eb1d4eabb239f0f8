"""Another environment than usual: what a package is made of must not depend on it."""

from __future__ import annotations

from chroots.engine.plugins.plugin import Context, Plugin

# Time zone, language, person, home and search path, and a variable that only a second build has.
ENVIRONMENT = {
    "TZ": "UTC-14", "LC_ALL": "C", "LANG": "C", "LANGUAGE": "et_EE:et", "HOME": "/nonexistent/second-build",
    "USER": "second-builder", "LOGNAME": "second-builder", "CAPTURE_ENVIRONMENT": "second build",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/nonexistent/second",
}  # fmt: skip


class VariedEnvironment(Plugin):
    """For a second build, whose packages are compared with the first one's."""

    def pre_build(self, context: Context) -> None:
        context.environment.update(ENVIRONMENT)
