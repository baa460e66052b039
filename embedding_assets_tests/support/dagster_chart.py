"""What Dagster's chart makes of our values: the keys it knows, and the dagster.yaml its ConfigMap holds.

The chart itself cannot be had offline. Keys and mapping are facts read in its schema and templates, written down here; what they
lead to is checked by Dagster's own configuration system (deployment/test_dagster_values).
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Values: TypeAlias = Mapping[str, Any]

_IMAGE = {"repository", "tag", "pullPolicy"}
_POD = {
    *(
        "env",
        "envConfigMaps",
        "envSecrets",
        "labels",
        "volumes",
        "volumeMounts",
        "annotations",
        "nodeSelector",
        "affinity",
    ),
    *("tolerations", "podSecurityContext", "securityContext", "resources", "schedulerName"),
    *("readinessProbe", "livenessProbe", "startupProbe"),
}
_RAW_K8S = {"containerConfig", "podSpecConfig", "podTemplateSpecMetadata", "jobSpecConfig", "jobMetadata"}
# Sections whose keys the chart's schema lists and closes; `[]` stands for each entry of a list.
_KNOWN: Mapping[str, set[str]] = {
    "": {
        *(
            "global",
            "generatePostgresqlPasswordSecret",
            "postgresql",
            "busybox",
            "telemetry",
            "computeLogManager",
            "pythonLogs",
        ),
        *(
            "dagsterWebserver",
            "dagsterDaemon",
            "dagster-user-deployments",
            "runLauncher",
            "retention",
            "additionalInstanceConfig",
        ),
        *("imagePullSecrets", "serviceAccount", "rbacEnabled", "ingress", "migrate"),
    },
    "global": {"postgresqlSecretName", "dagsterHome", "serviceAccountName"},
    "postgresql": {
        *("enabled", "image", "postgresqlHost", "postgresqlUsername", "postgresqlPassword", "postgresqlDatabase"),
        *("postgresqlParams", "postgresqlScheme", "service"),
    },
    "postgresql.image": _IMAGE,
    "postgresql.service": {"port"},
    "busybox": {"image"},
    "busybox.image": _IMAGE,
    "telemetry": {"enabled"},
    "computeLogManager": {"type", "config"},
    "dagsterWebserver": {
        *_POD,
        *("replicaCount", "image", "nameOverride", "pathPrefix", "service", "workspace", "deploymentLabels"),
        *("enableReadOnly", "dbStatementTimeout", "dbPoolRecycle", "logLevel"),
    },
    "dagsterWebserver.image": _IMAGE,
    "dagsterWebserver.service": {"type", "port", "annotations"},
    "dagsterWebserver.workspace": {"enabled", "servers", "externalConfigmap"},
    "dagsterWebserver.workspace.servers[]": {"host", "port", "name", "ssl"},
    "dagsterDaemon": {
        *_POD,
        *("enabled", "image", "heartbeatTolerance", "runCoordinator", "deploymentLabels"),
        *("runMonitoring", "runRetries", "sensors", "schedules"),
    },
    "dagsterDaemon.image": _IMAGE,
    "dagsterDaemon.runCoordinator": {"enabled", "type", "config"},
    "dagsterDaemon.runCoordinator.config": {"queuedRunCoordinator", "customRunCoordinator"},
    "dagsterDaemon.runCoordinator.config.queuedRunCoordinator": {
        *(
            "maxConcurrentRuns",
            "tagConcurrencyLimits",
            "dequeueIntervalSeconds",
            "dequeueNumWorkers",
            "dequeueUseThreads",
        ),
    },
    "dagsterDaemon.runMonitoring": {
        *("enabled", "startTimeoutSeconds", "cancelTimeoutSeconds", "maxResumeRunAttempts", "pollIntervalSeconds"),
        "freeSlotsAfterRunEndSeconds",
    },
    "dagsterDaemon.runRetries": {"enabled", "maxRetries"},
    "dagsterDaemon.sensors": {"useThreads", "numWorkers", "numSubmitWorkers"},
    "dagsterDaemon.schedules": {"useThreads", "numWorkers", "numSubmitWorkers"},
    "dagster-user-deployments": {"enabled", "enableSubchart", "rbacEnabled", "imagePullSecrets", "deployments"},
    "dagster-user-deployments.deployments[]": {
        *_POD,
        *("name", "image", "dagsterApiGrpcArgs", "codeServerArgs", "includeConfigInLaunchedRuns", "port", "service"),
    },
    "dagster-user-deployments.deployments[].image": _IMAGE,
    "dagster-user-deployments.deployments[].includeConfigInLaunchedRuns": {"enabled"},
    "runLauncher": {"type", "config"},
    "runLauncher.config": {"k8sRunLauncher", "celeryK8sRunLauncher", "customRunLauncher"},
    "runLauncher.config.k8sRunLauncher": {
        *(
            "image",
            "imagePullPolicy",
            "jobNamespace",
            "loadInclusterConfig",
            "kubeconfigFile",
            "envConfigMaps",
            "envSecrets",
        ),
        *("envVars", "volumeMounts", "volumes", "labels", "failPodOnRunFailure", "resources", "schedulerName"),
        *("securityContext", "runK8sConfig"),
    },
    "runLauncher.config.k8sRunLauncher.runK8sConfig": _RAW_K8S,
    "retention": {"enabled", "schedule", "sensor", "autoMaterialize"},
    "retention.schedule": {"purgeAfterDays"},
    "retention.sensor": {"purgeAfterDays"},
    "retention.autoMaterialize": {"purgeAfterDays"},
}


def unknown_keys(values: Values, path: str = "") -> Iterator[str]:
    """Keys that the chart's schema refuses, or would silently pass by."""
    known = _KNOWN.get(path)
    for key, value in values.items():
        below = f"{path}.{key}" if path else key
        if known is not None and key not in known:
            yield below
        elif isinstance(value, Mapping):
            yield from unknown_keys(value, below)
        elif isinstance(value, list):
            for entry in value:
                if isinstance(entry, Mapping):
                    yield from unknown_keys(entry, f"{below}[]")


def instance_config(values: Values, *, release: str, namespace: str) -> dict[str, Any]:
    """dagster.yaml as the chart's ConfigMap holds it, for the kinds of launcher, coordinator and log manager that we use."""
    daemon = values["dagsterDaemon"]
    storage = {"config": {"postgres_db": _postgres(values["postgresql"])}}
    module = "dagster_postgres"
    return {
        "scheduler": {"module": "dagster.core.scheduler", "class": "DagsterDaemonScheduler"},
        "schedule_storage": {"module": f"{module}.schedule_storage", "class": "PostgresScheduleStorage", **storage},
        "run_storage": {"module": f"{module}.run_storage", "class": "PostgresRunStorage", **storage},
        "event_log_storage": {"module": f"{module}.event_log", "class": "PostgresEventLogStorage", **storage},
        "run_launcher": _run_launcher(values, release, namespace),
        "run_coordinator": _run_coordinator(daemon["runCoordinator"]),
        "compute_logs": {
            "module": "dagster.core.storage.noop_compute_log_manager",
            "class": values["computeLogManager"]["type"],
        },
        "run_monitoring": snake_keys(daemon["runMonitoring"]),
        **_run_retries(daemon["runRetries"]),
        "sensors": snake_keys(daemon["sensors"]),
        "schedules": snake_keys(daemon["schedules"]),
        "telemetry": {"enabled": values["telemetry"]["enabled"]},
        "retention": {
            key: {"purge_after_days": values["retention"][name]["purgeAfterDays"]}
            for key, name in (("sensor", "sensor"), ("schedule", "schedule"), ("auto_materialize", "autoMaterialize"))
        },
        **values["additionalInstanceConfig"],
    }


def _run_retries(values: Values) -> dict[str, Any]:
    """Left out where the chart is told to: the same section may then come from `additionalInstanceConfig`."""
    given = {key: value for key, value in snake_keys(values).items() if value}
    return {"run_retries": given} if values["enabled"] else {}


def _postgres(values: Values) -> dict[str, Any]:
    return {
        "username": values["postgresqlUsername"],
        "password": {"env": "DAGSTER_PG_PASSWORD"},
        "hostname": values["postgresqlHost"],
        "db_name": values["postgresqlDatabase"],
        "port": values["service"]["port"],
        "params": values["postgresqlParams"],
        "scheme": values["postgresqlScheme"],
    }


def _run_launcher(values: Values, release: str, namespace: str) -> dict[str, Any]:
    given = values["runLauncher"]["config"]["k8sRunLauncher"]
    names = {"envConfigMaps", "envSecrets"}
    config = {key: value for key, value in given.items() if key not in {*names, "runK8sConfig"} and value}
    return {
        "module": "dagster_k8s",
        "class": values["runLauncher"]["type"],
        "config": {
            **snake_keys(config),
            **{_snake(key): [one["name"] for one in given[key]] for key in names},
            "job_namespace": given.get("jobNamespace") or namespace,
            "service_account_name": release,
            "dagster_home": values["global"]["dagsterHome"],
            "instance_config_map": f"{release}-instance",
            "postgres_password_secret": values["global"]["postgresqlSecretName"],
            "run_k8s_config": snake_keys(given["runK8sConfig"]),
        },
    }


def _run_coordinator(values: Values) -> dict[str, Any]:
    config = snake_keys(values["config"]["queuedRunCoordinator"])
    return {"module": "dagster.core.run_coordinator", "class": values["type"], "config": config}


def snake_keys(values: Values) -> dict[str, Any]:
    """The keys of this level as dagster.yaml spells them; what is below goes through as it is."""
    return {_snake(key): value for key, value in values.items()}


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
