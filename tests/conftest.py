"""What every test may use: a home of its own, people of every role, a channel and a host."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from builds.models import Target
from composes.models import Compose
from debatomic.access import roles
from debatomic.access.models import RoleBinding, User
from hosts.models import Channel, Host
from tests import scene, storage
from tests.application import Application, running_application
from tests.storage import InFolder, Storage

DATABASE = {"db", "transactional_db", "live_server", "django_db_setup"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the database: it alone is run with the other one, too."""
    for item in items:
        if DATABASE.intersection(getattr(item, "fixturenames", ())) or item.get_closest_marker("django_db"):
            item.add_marker("database")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: object) -> Path:
    """Settings that keep everything a test writes in its own folder."""
    folder = tmp_path / "home"
    for name, path in {"HOME": folder, "LOGS": folder / "logs", "ARTIFACTS": folder / "artifacts",
                       "OSTREE": folder / "ostree", "STATE": folder / "host",
                       "SIGNING": folder / "signing"}.items():  # fmt: skip
        setattr(settings, name, path)
    folder.mkdir()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]
    settings.WHITENOISE_AUTOREFRESH = True  # type: ignore[attr-defined]  # no list of all files for every Client
    return folder


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of a server that speaks S3."""
    with storage.s3_server() as address:
        yield address


@pytest.fixture(params=["folder", "bucket"])
def kept(request: pytest.FixtureRequest, home: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """Where the store keeps its content: each test that asks runs once with each."""
    if request.param == "folder":
        return InFolder(home / "artifacts")
    bucket = f"test-{uuid.uuid4()}"
    return storage.use_bucket(request.getfixturevalue("s3"), bucket, settings, monkeypatch)


@pytest.fixture
def users(db: None) -> dict[str, User]:
    """One person per role, named as the role, and `stranger`, who has none."""
    people = {}
    for role in [*roles.TITLES, "stranger"]:
        people[role] = User.objects.create_user(role, password="a long enough password")
        if role != "stranger":
            RoleBinding.objects.create(user=people[role], role=role)
    return people


@pytest.fixture
def client_of(users: dict[str, User]) -> Callable[[str], Client]:
    """A browser signed in as a role; "visitor" is signed out."""

    def make(role: str) -> Client:
        client = Client()
        if role != "visitor":
            client.force_login(users[role], backend="django.contrib.auth.backends.ModelBackend")
        return client

    return make


@pytest.fixture
def clients(client_of: Callable[[str], Client]) -> dict[str, Client]:
    """The browsers of a visitor, of a stranger and of each role."""
    return {role: client_of(role) for role in ("visitor", "stranger", *roles.TITLES)}


@pytest.fixture
def default_channel(db: None) -> Channel:
    return Channel.objects.get_or_create(name="default")[0]


@pytest.fixture
def host(default_channel: Channel) -> Host:
    """A host that is alive, runs amd64 and serves the default channel."""
    made = Host.objects.create(
        name="builder-1", architectures=["amd64"], capacity=2, is_hub=True, seen_at=timezone.now()
    )
    made.channels.add(default_channel)
    return made


@pytest.fixture
def target(default_channel: Channel) -> Target:
    return scene.target(default_channel)


@pytest.fixture
def somebody(db: None) -> User:
    """Who made what the tests ask for: none of the people of the roles table."""
    return User.objects.create_user("somebody")


@pytest.fixture
def composed(somebody: User, default_channel: Channel) -> Compose:
    """A compose of debian-atomic that waits for a host; its definition has one revision."""
    return scene.compose(somebody, default_channel)


@pytest.fixture
def dsc(tmp_path: Path) -> Path:
    """The .dsc of a native source package `tiny` 1.0 (Architecture: all), its tarball beside it."""
    return scene.source_package(tmp_path / "tiny")


@pytest.fixture
def world(target: Target, somebody: User, host: Host, tmp_path: Path) -> dict[str, int | str]:
    """Ids of builds and composes in every state, of their tasks and an artifact."""
    return scene.world(somebody, target, host, tmp_path)


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """The real thing, started once for all tests that drive it from outside."""
    with running_application(tmp_path_factory.mktemp("application")) as started:
        yield started
