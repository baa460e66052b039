"""Kubernetes' pod security standard `restricted`, and what we ask beyond it, as a list of what a pod breaks."""

from collections.abc import Iterator

from embedding_assets_tests.support.helm import Object

# The volumes of the restricted profile.
_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_HOST = ("hostNetwork", "hostPID", "hostIPC", "hostUsers")


def breaches(spec: Object) -> list[str]:
    """What the pod of this spec may do that it should not; empty when it holds the profile."""
    pod = spec.get("securityContext") or {}
    containers = [*spec.get("initContainers", ()), *spec["containers"]]
    return [
        *(key for key in _HOST if spec.get(key)),
        *(f"volume {one['name']}" for one in spec.get("volumes", ()) if not (one.keys() - {"name"}) <= _VOLUMES),
        *(each for one in containers for each in _container_breaches(one, pod)),
    ]


def _container_breaches(container: Object, pod: Object) -> Iterator[str]:
    name, own = container["name"], container.get("securityContext") or {}
    both = {**pod, **own}
    if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
        yield f"{name}: root"
    if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
        yield f"{name}: privilege"
    if (own.get("capabilities") or {}) != {"drop": ["ALL"]}:
        yield f"{name}: capabilities"
    if (both.get("seccompProfile") or {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield f"{name}: seccomp"
    if any("hostPort" in port for port in container.get("ports", ())):
        yield f"{name}: host port"
    yield from _own_rules(container, own)


def _own_rules(container: Object, own: Object) -> Iterator[str]:
    """Beyond the profile: nothing is written but to what is mounted, and no container may take a whole node's memory."""
    name, resources = container["name"], container.get("resources") or {}
    if own.get("readOnlyRootFilesystem") is not True:
        yield f"{name}: writable root"
    if "memory" not in resources.get("limits", {}) or not {"cpu", "memory"} <= resources.get("requests", {}).keys():
        yield f"{name}: resources"
    for mount in container.get("volumeMounts", ()):
        if mount["mountPath"] != "/tmp" and not mount.get("readOnly"):
            yield f"{name}: writes to {mount['mountPath']}"
