from typing import Any, Sequence

collectors: Sequence[type[Any]]
