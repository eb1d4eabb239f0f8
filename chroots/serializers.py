"""What the API says of chroots, and takes to make and change them."""

from __future__ import annotations

from typing import Any

import yaml
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from chroots import editing
from chroots.definition import LENGTH, blamed, composed
from chroots.engine.configuration.values import VARIANTS
from chroots.models import Chroot, ChrootCopy, Refresh
from debatomic.access.fields import NameField
from debatomic.access.rows import RowSerializer
from debatomic.tools.errors import InputError
from hosts.api.serializers import LinesField
from hosts.models import Host, State

KEYS = {"base": "base", "suite": "suite", "architecture": "architecture", "variant": "variant",
        "components": "components", "+packages": "packages", "mirror": "mirror"}  # fmt: skip


class ChrootCopySerializer(RowSerializer[ChrootCopy]):
    """The base as it lies on one host; `size` in bytes."""

    host: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)

    class Meta:
        model = ChrootCopy
        fields = ("host", "base_id", "packages", "size", "made_at", "task")


class ChrootSerializer(RowSerializer[Chroot]):
    """`own_definition`: it does not come with DebAtomic. `refresh_at`: when it is refreshed by itself the next time."""

    components = LinesField(read_only=True)
    own_definition = serializers.SerializerMethodField()
    created_by: Any = serializers.SlugRelatedField(slug_field="username", read_only=True)
    copies = ChrootCopySerializer(many=True, read_only=True)
    page = serializers.SerializerMethodField()

    class Meta:
        model = Chroot
        fields = (
            "name", "suite", "architecture", "variant", "components", "mirror", "own_definition", "enabled",
            "refresh_hours", "refresh_at", "created_by", "created_at", "copies", "page",
        )  # fmt: skip
        read_only_fields = fields

    def get_own_definition(self, chroot: Chroot) -> bool:
        return bool(chroot.definition)


class DefinitionSerializer(serializers.Serializer[Any]):
    """A definition: as a whole in YAML (`definition`), or by its keys."""

    definition = serializers.CharField(max_length=LENGTH, required=False, trim_whitespace=False)
    base = serializers.CharField(max_length=100, required=False, help_text="What comes with DebAtomic to begin with.")
    suite = serializers.CharField(max_length=40, required=False)
    architecture = serializers.CharField(max_length=20, required=False)
    variant = serializers.ChoiceField(choices=VARIANTS, required=False)
    components = serializers.ListField(child=serializers.CharField(max_length=100), required=False)
    packages = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, help_text="Installed besides."
    )
    mirror = serializers.CharField(max_length=300, required=False)
    repositories = serializers.ListField(child=serializers.DictField(), required=False)
    refresh_hours = serializers.IntegerField(min_value=0, max_value=editing.MOST_HOURS, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [name for name in (*KEYS.values(), "repositories") if name in attrs]
        if given and "definition" in attrs:
            raise ValidationError({given[0]: ["Give the definition as a whole or by its keys, not both."]})
        return attrs

    def text(self) -> tuple[str | None, list[str]]:
        """The definition (None: none was given), and the keys in its first lines."""
        asked = self.validated_data
        if "definition" in asked or not any(name in asked for name in (*KEYS.values(), "repositories")):
            return asked.get("definition"), []
        rest = {"repositories": asked["repositories"]} if asked.get("repositories") else {}
        more = yaml.safe_dump(rest, sort_keys=False) if rest else ""
        return composed({key: asked.get(name) for key, name in KEYS.items()}, more)

    def refusal(self, error: InputError) -> ValidationError:
        """The error at the field that it is about."""
        text, keys = self.text()
        if error.field != "definition" or text is None or not keys:
            return ValidationError({error.field or "non_field_errors": [error.sentence]})
        key, sentence = blamed(error, keys)
        return ValidationError({KEYS.get(key, "repositories"): [sentence]})


class NewChrootSerializer(DefinitionSerializer):
    """A chroot to make; without any definition it is the one of this name that comes with DebAtomic."""

    name = serializers.CharField(max_length=50)


class ChangedChrootSerializer(DefinitionSerializer):
    """What shall be different; a definition given by keys takes the place of the whole one."""

    enabled = serializers.BooleanField(required=False)


class HostNameSerializer(serializers.Serializer[Any]):
    host = NameField("host", queryset=Host.objects.all())


class SettingSerializer(serializers.Serializer[Any]):
    """A value as text, and where it is from: the line of the definition, or a file that comes with DebAtomic."""

    key = serializers.CharField()
    value = serializers.CharField()
    origin = serializers.CharField()


class ConfigurationSerializer(serializers.Serializer[Any]):
    """The definition as it was written (empty: it comes with DebAtomic), and what it comes to."""

    definition = serializers.CharField()
    settings = SettingSerializer(many=True)


class RefreshSerializer(RowSerializer[Refresh]):
    """A making of the base on one host; counts are against the one before there. `listed`: its packages are known."""

    state = serializers.ChoiceField(choices=State.choices, source="task.state", read_only=True)
    reason = serializers.CharField(source="task.reason", read_only=True)
    cause = serializers.CharField(source="task.cause", read_only=True)
    host = serializers.SerializerMethodField()
    listed = serializers.SerializerMethodField()
    created_by = serializers.SerializerMethodField(help_text="Empty: by schedule, or by a build.")
    created_at = serializers.DateTimeField(source="task.created_at", read_only=True)

    class Meta:
        model = Refresh
        fields = (
            "id", "task", "state", "reason", "cause", "host", "base_id", "packages", "size", "made_at", "listed",
            "added", "removed", "upgraded", "created_by", "created_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_host(self, refresh: Refresh) -> str:
        return str(refresh.task.host or "")

    def get_listed(self, refresh: Refresh) -> bool:
        return bool(refresh.manifest)

    def get_created_by(self, refresh: Refresh) -> str:
        return str(refresh.task.created_by or "")


class PackagesSerializer(serializers.Serializer[Any]):
    """Versions by package, as a refresh left them."""

    refresh = serializers.IntegerField()
    packages = serializers.DictField(child=serializers.CharField())


class DifferenceSerializer(serializers.Serializer[Any]):
    """What another refresh has more, less, and in another version (before, after)."""

    added = serializers.DictField(child=serializers.CharField())
    removed = serializers.DictField(child=serializers.CharField())
    upgraded = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))


class BetweenSerializer(serializers.Serializer[Any]):
    to = serializers.IntegerField(min_value=1)

    def get_fields(self) -> Any:
        return {"from": serializers.IntegerField(min_value=1), **super().get_fields()}  # a word of Python


class WhichSerializer(serializers.Serializer[Any]):
    refresh = serializers.IntegerField(min_value=1, required=False, help_text="The newest otherwise.")
    q = serializers.CharField(required=False, help_text="Only packages whose name has this.")
