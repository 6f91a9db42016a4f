//! What charts put into a pod beside what matters here: a pod of a real cluster has 9 KB of JSON, and a fleet whose pods
//! had less would be read faster than any real one.

use crate::sim::fields::{annotate, list_mut, object_mut, place, set};
use crate::sim::json::{Value, json};
use crate::sim::scenario::file::WorkloadFile;

/// Variables that a chart sets.
const VARIABLES: [(&str, &str); 8] = [
    ("LOG_LEVEL", "info"),
    ("LOG_FORMAT", "json"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel-collector.observability.svc.cluster.local:4317"),
    ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
    ("OTEL_TRACES_SAMPLER_ARG", "0.05"),
    ("DATABASE_HOST", "postgres-primary.data.svc.cluster.local"),
    ("CACHE_URL", "redis://redis-master.data.svc.cluster.local:6379/0"),
    ("FEATURE_FLAGS_REFRESH", "30s"),
];

/// Variables that say where the pod is.
const PLACES: [(&str, &str); 4] = [
    ("POD_NAME", "metadata.name"),
    ("POD_NAMESPACE", "metadata.namespace"),
    ("POD_IP", "status.podIP"),
    ("NODE_NAME", "spec.nodeName"),
];

/// Adds it to the template of a workload.
pub(super) fn add(w: &WorkloadFile, pod: &mut Value) {
    for (key, value) in [
        ("app.kubernetes.io/name", w.name.as_str()),
        ("app.kubernetes.io/instance", &w.name),
        ("app.kubernetes.io/component", "server"),
        ("app.kubernetes.io/part-of", &w.namespace),
        ("app.kubernetes.io/version", w.image.rsplit(':').next().unwrap_or_default()),
    ] {
        object_mut(place(pod, "metadata.labels")).insert(key.into(), value.into());
    }
    let sum = crate::sim::random::hash(&w.name);
    let sum = format!("{sum:016x}{:016x}", sum.rotate_left(17));
    for (key, value) in [
        ("checksum/config", sum.as_str()),
        ("prometheus.io/scrape", "true"),
        ("prometheus.io/port", "9090"),
        ("prometheus.io/path", "/metrics"),
    ] {
        annotate(pod, key, value);
    }
    set(
        pod,
        "spec.securityContext",
        json!({ "runAsNonRoot": true, "runAsUser": 65_532, "fsGroup": 65_532,
        "seccompProfile": { "type": "RuntimeDefault" } }),
    );
    let config = format!("{}-config", w.name);
    set(
        pod,
        "spec.volumes",
        json!([
            { "name": "config", "configMap": { "name": config, "defaultMode": 420, "optional": true } },
            { "name": "tls", "secret": { "secretName": format!("{}-tls", w.name), "defaultMode": 420, "optional": true } },
            { "name": "tmp", "emptyDir": {} },
        ]),
    );
    let Some(container) = list_mut(place(pod, "spec.containers")).first_mut() else { return };
    let value = |(name, value): (&str, &str)| json!({ "name": name, "value": value });
    let from = |(name, path): (&str, &str)| json!({ "name": name, "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": path } } });
    let env: Value = VARIABLES.into_iter().map(value).chain(PLACES.into_iter().map(from)).collect();
    set(container, "env", env);
    set(container, "envFrom", json!([{ "configMapRef": { "name": config, "optional": true } }]));
    set(
        container,
        "args",
        json!(["serve", "--config=/etc/app/config.yaml", "--listen=:8080", "--metrics=:9090"]),
    );
    set(
        container,
        "ports",
        json!([
            { "name": "http", "containerPort": 8080, "protocol": "TCP" },
            { "name": "metrics", "containerPort": 9090, "protocol": "TCP" },
        ]),
    );
    for (probe, path, period, failures) in [
        ("livenessProbe", "/livez", 10, 3),
        ("readinessProbe", "/readyz", 5, 3),
        ("startupProbe", "/readyz", 5, 30),
    ] {
        set(
            container,
            probe,
            json!({ "httpGet": { "path": path, "port": "http", "scheme": "HTTP" },
            "periodSeconds": period, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": failures }),
        );
    }
    set(container, "lifecycle", json!({ "preStop": { "exec": { "command": ["/bin/sleep", "5"] } } }));
    set(
        container,
        "securityContext",
        json!({ "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": { "drop": ["ALL"] } }),
    );
    set(
        container,
        "volumeMounts",
        json!([
            { "name": "config", "mountPath": "/etc/app", "readOnly": true },
            { "name": "tls", "mountPath": "/etc/tls", "readOnly": true },
            { "name": "tmp", "mountPath": "/tmp" },
        ]),
    );
}
