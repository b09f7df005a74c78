from typing import Any, Iterable

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.facts.namespace import PrefixFactNamespace

class AnsibleFactCollector:
    def collect(self, module: AnsibleModule) -> dict[str, Any]: ...

def get_ansible_collector(
    *,
    all_collector_classes: Iterable[type[Any]],
    namespace: PrefixFactNamespace,
    gather_subset: Iterable[str],
    gather_timeout: int,
    minimal_gather_subset: Iterable[str],
) -> AnsibleFactCollector: ...
