class TaskInclude:
    name: str | None
