"""One's own account and keys in the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from debatomic.access import keys, roles
from debatomic.access.authentication import ApiKeyAuthentication, PasswordAuthentication
from debatomic.access.checks import person
from debatomic.access.models import ApiKey, User
from debatomic.access.pagination import CursorPages
from debatomic.access.permissions import SignedIn
from debatomic.access.rows import RowSerializer


class MeSerializer(RowSerializer[User]):
    """Who asks, and which rights this request has (a key may narrow them)."""

    roles = serializers.ListField(child=serializers.CharField(), read_only=True)
    rights = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ("username", "email", "roles", "rights")
        read_only_fields = fields

    def get_rights(self, user: User) -> list[str]:
        return [right for right in roles.TABLE if user.may(right)]


class MeView(APIView):
    """Who you are to the hub."""

    permission_classes = [SignedIn]

    @extend_schema(operation_id="users_me_retrieve", responses=MeSerializer)
    def get(self, request: Request) -> Response:
        return Response(MeSerializer(person(request.user)).data)


class KeySerializer(RowSerializer[ApiKey]):
    """A key of yours; `id` is its beginning. `scopes` are the rights it is limited to (empty: all of yours)."""

    id = serializers.CharField(source="token_key", read_only=True)
    scopes = serializers.ListField(child=serializers.CharField(), read_only=True)
    created_at = serializers.DateTimeField(source="created", read_only=True)
    expires_at = serializers.DateTimeField(source="expiry", read_only=True, allow_null=True)

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = ("id", "name", "scopes", "created_at", "expires_at", "used_at")
        read_only_fields = fields


class NewKeySerializer(KeySerializer):
    """A key just made, with the key itself: it is shown this once."""

    key = serializers.CharField(read_only=True)

    class Meta(KeySerializer.Meta):
        fields = (*KeySerializer.Meta.fields, "key")
        read_only_fields = fields


class MakeKeySerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=list(roles.TABLE)), default=list)
    days = serializers.IntegerField(min_value=1, max_value=keys.MOST_DAYS, default=keys.USUAL_DAYS)


class KeyPages(CursorPages):
    ordering = "-created"


class KeyViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, GenericViewSet[ApiKey]):
    """Your API keys. A key is made with your password (HTTP Basic) or on the page, never with another key."""

    permission_classes = [SignedIn]
    authentication_classes = [ApiKeyAuthentication, SessionAuthentication, PasswordAuthentication]
    pagination_class = KeyPages
    queryset = ApiKey.objects.all()
    serializer_class = KeySerializer
    lookup_field = "token_key"
    lookup_url_kwarg = "id"

    def get_queryset(self) -> QuerySet[ApiKey]:
        if not self.request.user.is_authenticated:
            return ApiKey.objects.none()
        return ApiKey.objects.filter(user=self.request.user)

    @extend_schema(request=MakeKeySerializer, responses={201: NewKeySerializer})
    def create(self, request: Request) -> Response:
        """Make a key."""
        if isinstance(request.auth, ApiKey):
            raise ValidationError(
                {"non_field_errors": ["A key cannot make keys: use your password, or the API keys page."]}
            )
        asked = MakeKeySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        key, secret = keys.make(
            person(request.user), name=wanted["name"], scopes=wanted["scopes"], lasting=timedelta(days=wanted["days"])
        )
        return Response({**KeySerializer(key).data, "key": secret}, status=status.HTTP_201_CREATED)

    def perform_destroy(self, instance: ApiKey) -> None:
        keys.revoke(instance, by=self.request.user)
