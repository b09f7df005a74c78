from typing import Any, Mapping

class ValidationResult:
    error_messages: list[str]

class ArgumentSpecValidator:
    def __init__(self, argument_spec: Mapping[str, Any]) -> None: ...
    def validate(self, parameters: Mapping[str, Any], **more: Any) -> ValidationResult: ...
