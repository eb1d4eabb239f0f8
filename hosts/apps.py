from django.apps import AppConfig


class HostsConfig(AppConfig):
    name = "hosts"

    def ready(self) -> None:
        from hosts.kept import cleaning  # noqa: PLC0415  (models exist only now)

        cleaning.register_contents()
