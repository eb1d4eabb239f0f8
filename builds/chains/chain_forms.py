"""Forms of chains: what is to be built in order, and what a target does by itself."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction
from django.db.models import Max

from builds.chains import reading, submitting
from builds.chains.chain_models import Chain, RebuildPolicy
from builds.chains.ordering import Plan
from builds.chains.reading import Asked
from builds.models import TagEntry, Target
from builds.tagging.changing import PATTERN
from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts.pages.many_files import ManyFilesField


class ChainForm(forms.Form):
    """Sources by name or as files, and where they are built."""

    sources = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 6}), required=False, label="Source packages",
        help_text="One in each line, in any order: NAME, NAME VERSION or NAME VERSION <PROFILE>, such as libfoo 1.2-1 "
                  "<nocheck>.",
    )  # fmt: skip
    files = ManyFilesField(  # type: ignore[assignment]  # the form takes it from the class
        required=False, label="Source package files",
        help_text="Each .dsc and every file it names, of all packages at once.",
    )  # fmt: skip
    target = forms.ModelChoiceField(
        queryset=Target.objects.filter(enabled=True, with_repository=True).select_related("tag"),
        to_field_name="name", empty_label=None, help_text="One that builds with its tag's repository.",
    )  # fmt: skip

    plan: Plan | None = None

    def clean_sources(self) -> list[Asked]:
        try:
            return reading.asked(self.cleaned_data["sources"])
        except InputError as error:
            raise forms.ValidationError(error.sentence) from error

    def submit(self, *, by: Any, only_plan: bool = False) -> Chain | None:
        """The chain; None where it is refused, with the reason at the field, or where `plan` is all that is wanted."""
        fields = self.cleaned_data
        uploads = [(str(file.name), file) for file in fields["files"]]
        try:
            found, self.plan = submitting.prepare(fields["target"], fields["sources"], uploads)
            return None if only_plan else submitting.create(fields["target"], found, self.plan, by=by)
        except InputError as error:
            self.add_error(error.field if error.field in self.fields else None, error.sentence)
            return None


class PolicyForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a target does by itself; `with_repository` is the target's own."""

    with_repository = forms.BooleanField(
        required=False, label="Build with the tag's repository",
        help_text="Builds take packages of the tag's signed repository, before those of the archive. Chains need this.",
    )  # fmt: skip

    class Meta:
        model = RebuildPolicy
        fields = ("with_repository", "enabled", "when", "libraries", "most")
        labels = {"enabled": "Rebuild what builds against a changed library", "when": "A library changed, when",
                  "most": "Builds at most"}  # fmt: skip
        help_texts = {"libraries": "Patterns of source packages, such as lib*; empty: all.",
                      "most": "Where more would follow, nothing does, and the audit log says so."}  # fmt: skip

    def __init__(self, data: Any = None, *, target: Target) -> None:
        self.target = target
        policy = RebuildPolicy.objects.filter(target=target).first() or RebuildPolicy(target=target)
        super().__init__(data, instance=policy, initial={"with_repository": target.with_repository})

    def clean_libraries(self) -> str:
        words = str(self.cleaned_data["libraries"]).split()
        if wrong := [word for word in words if not PATTERN.fullmatch(word)]:
            raise forms.ValidationError(f"“{wrong[0]:.60}” is no pattern of source packages, such as lib*.")
        return " ".join(words)

    def keep(self, *, by: Any) -> RebuildPolicy:
        """Write it; what is in the tag already changes nothing any more."""
        fields = self.cleaned_data
        with transaction.atomic():
            policy: RebuildPolicy = self.save(commit=False)
            newest = TagEntry.objects.filter(tag=self.target.tag_id).aggregate(newest=Max("pk"))["newest"]
            policy.seen = newest or 0
            policy.save()
            Target.objects.filter(pk=self.target.pk).update(with_repository=fields["with_repository"])
            AuditEntry.note(by, "target.chains", self.target, **fields)
        return policy
