{{- define "sunk.fullname" -}}
{{- .Values.fullnameOverride | default (printf "%s-bridge" (.Release.Name | replace "." "-")) | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Roles of the whole cluster: unlike any other release's, because no namespace has a colon. */}}
{{- define "sunk.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "sunk.fullname" .) -}}
{{- end -}}

{{- define "sunk.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "sunk.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/*
The instance has an underscore, which no SlurmCluster's name can have: what chooses a cluster's
objects by app.kubernetes.io/instance never gets the bridge's, whatever the release is called.
*/}}
{{- define "sunk.selectorLabels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}_bridge
app.kubernetes.io/name: sunk-bridge
{{- end -}}

{{/* Called with the root and further labels, which win over extraLabels. */}}
{{- define "sunk.labelsWith" -}}
{{- $root := index . 0 -}}
{{- with $root -}}
{{ include "sunk.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: sunk
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- end }}
{{- with merge (dict) (index . 1) $root.Values.extraLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "sunk.labels" -}}
{{ include "sunk.labelsWith" (list . (dict)) }}
{{- end -}}

{{- define "sunk.image" -}}
{{- $registry := .Values.global.imageRegistry | default .Values.image.registry -}}
{{- $name := .Values.image.repository -}}
{{- if $registry -}}{{- $name = printf "%s/%s" $registry $name -}}{{- end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "sunk.listen" -}}
{{- if contains ":" .Values.bridge.listenAddress -}}
{{- printf "[%s]:%v" .Values.bridge.listenAddress .Values.bridge.port -}}
{{- else -}}
{{- printf "%s:%v" .Values.bridge.listenAddress .Values.bridge.port -}}
{{- end -}}
{{- end -}}
