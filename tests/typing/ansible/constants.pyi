from typing import Any

ANSIBLE_HOME: str
COLOR_CHANGED: str
COLOR_ERROR: str
COLOR_OK: str
COLOR_WARN: str
config: Any
