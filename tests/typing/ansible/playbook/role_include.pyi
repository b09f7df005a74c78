from ansible.playbook.task_include import TaskInclude

class IncludeRole(TaskInclude):
    _uuid: str
