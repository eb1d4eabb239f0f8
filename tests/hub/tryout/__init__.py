"""An app for tests: a method that runs a shell script, as `manage.py builder` would run a build."""
