from typing import Any, Mapping, NoReturn, Sequence

class AnsibleModule:
    params: dict[str, Any]
    check_mode: bool
    tmpdir: str
    def __init__(
        self,
        argument_spec: Mapping[str, Any],
        *,
        supports_check_mode: bool = False,
        required_if: Sequence[Any] | None = None,
        required_one_of: Sequence[Any] | None = None,
        required_by: Mapping[str, Any] | None = None,
        mutually_exclusive: Sequence[Any] | None = None,
    ) -> None: ...
    def exit_json(self, **result: Any) -> NoReturn: ...
    def fail_json(self, msg: str, **result: Any) -> NoReturn: ...
