{{/* Names, labels, and the parts that every pod of ours has. No object is here. */}}

{{- define "ea.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* The URL is in the Secret that the role of the component names, or in that of runs. */}}
{{- define "ea.databaseEnv" -}}
{{- $own := index .root.Values.secrets .role -}}
{{- $secret := ternary $own .root.Values.secrets.database (ne $own.name "") -}}
- name: EMBEDDING_ASSETS_DATABASE_URL
  valueFrom:
    secretKeyRef: {name: {{ $secret.name }}, key: {{ $secret.key }}}
{{- end -}}

{{- define "ea.image" -}}
{{- $repository := required "image.repository is not set: push the image built from this project's Dockerfile to a registry of yours, and name it there (helm … --set image.repository=REGISTRY/embedding-assets)" .Values.image.repository -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- if .Values.image.digest -}}
{{- printf "%s:%s@%s" $repository $tag .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository $tag -}}
{{- end -}}
{{- end -}}

{{/* The names of the collections in the file, so that nobody keeps a second list. */}}
{{- define "ea.collections" -}}
{{- $file := required "collections is not set: give the collections file (helm … --set-file collections=collections.toml)" .Values.collections | fromToml -}}
{{- if $file.Error -}}
{{- fail (printf "collections is not valid TOML: %s" $file.Error) -}}
{{- end -}}
{{- keys ($file.collections | default dict) | sortAlpha | toJson -}}
{{- end -}}

{{- define "ea.labels" -}}
app.kubernetes.io/name: embedding-assets
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: embedding-assets
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "ea.selector" -}}
app.kubernetes.io/name: embedding-assets
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "ea.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.podSecurity.runAsUser }}
runAsGroup: {{ .Values.podSecurity.runAsGroup }}
fsGroup: {{ .Values.podSecurity.fsGroup }}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "ea.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* The only place a program may write to. */}}
{{- define "ea.tmpVolume" -}}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- end -}}

{{- define "ea.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Everything that is no secret and every program of ours reads from its environment. */}}
{{- define "ea.settings" -}}
EMBEDDING_ASSETS_COLLECTIONS_FILE: /etc/embedding-assets/collections.toml
EMBEDDING_ASSETS_HOME: /tmp/embedding-assets
EMBEDDING_ASSETS_RETRIES_TRIGGER: {{ .Values.trigger.retries }}
# No price list, no usage statistics: nobody calls out.
LITELLM_LOCAL_MODEL_COST_MAP: "True"
DAGSTER_DISABLE_TELEMETRY: "1"
# Fewer writes for each event of a run, and one row for its partitions instead of one for each.
DAGSTER_EVENT_BATCH_SIZE: "100"
DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS: "1"
# The root file system is read-only: what looks for a home folder, or a folder for its caches, finds one.
HOME: /tmp
XDG_CACHE_HOME: /tmp
MPLCONFIGDIR: /tmp
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end -}}
