from django.apps import AppConfig


class ChrootsConfig(AppConfig):
    name = "chroots"

    def ready(self) -> None:
        from chroots import methods  # noqa: PLC0415  (models exist only now)
        from chroots.trying import running  # noqa: PLC0415

        methods.register_methods()
        running.register_trials()
