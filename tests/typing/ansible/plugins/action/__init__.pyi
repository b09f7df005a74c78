from typing import Any, Mapping

class _Task:
    args: dict[str, Any]
    check_mode: bool
    diff: bool

class _Display:
    verbosity: int

class ActionBase:
    _task: _Task
    _display: _Display
    _connection: Any
    _templar: Any
    _loader: Any
    TRANSFERS_FILES: bool
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]: ...
    def validate_argument_spec(
        self, argument_spec: Mapping[str, Any] | None = None, **more: Any
    ) -> tuple[Any, dict[str, Any]]: ...
    def _execute_module(
        self,
        module_name: str | None = None,
        module_args: Mapping[str, Any] | None = None,
        task_vars: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> dict[str, Any]: ...
