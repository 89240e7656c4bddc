{{/* Helm's own labels. The name is a label of its own: it is also the selector. */}}
{{- define "iamra-node-agent.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "iamra-node-agent.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The ConfigMap with Vault's CA; empty where a public CA has signed Vault's certificate. */}}
{{- define "iamra-node-agent.ca" -}}
{{- if and .Values.vault.ca.configMap (trim .Values.vault.ca.pem) -}}
{{- fail "vault.ca.configMap and vault.ca.pem exclude each other" -}}
{{- end -}}
{{- if trim .Values.vault.ca.pem -}}
iamra-node-agent-vault-ca
{{- else -}}
{{ .Values.vault.ca.configMap }}
{{- end -}}
{{- end }}

{{/* What the agent reads from its environment. */}}
{{- define "iamra-node-agent.settings" -}}
{{- with .Values -}}
{{- $address := kindIs "slice" .vault.address | ternary (join "," .vault.address) (toString .vault.address) -}}
VAULT_ADDR: {{ required "vault.address is missing: set it to Vault's address as a node reaches it, such as https://vault.vault.svc:8200" $address | quote }}
{{- if include "iamra-node-agent.ca" $ }}
VAULT_CACERT: /etc/vault/{{ .vault.ca.key }}
{{- end }}
{{- with .vault.namespace }}
VAULT_NAMESPACE: {{ . | quote }}
{{- end }}
IAMRA_AUTH_MOUNT: {{ .authMount | quote }}
IAMRA_AUTH_ROLE: {{ .authRole | quote }}
IAMRA_MOUNT: {{ .mount | quote }}
{{- with .rolePattern }}
IAMRA_ROLE_PATTERN: {{ . | quote }}
{{- end }}
{{- with .fallbackRole }}
IAMRA_FALLBACK_ROLE: {{ . | quote }}
{{- end }}
{{- with .listen }}
IAMRA_LISTEN: {{ join "," . | quote }}
{{- end }}
{{- if ne (int .metrics.port) 9810 }}
IAMRA_METRICS_LISTEN: "0.0.0.0:{{ int .metrics.port }}"
{{- end }}
{{- with .link.name }}
IAMRA_LINK_NAME: {{ . | quote }}
{{- end }}
{{- with .link.addresses }}
IAMRA_LINK_ADDRESSES: {{ join "," . | quote }}
{{- end }}
{{- with .answerTimeout }}
IAMRA_ANSWER_TIMEOUT: {{ int . | quote }}
{{- end }}
{{- with .maxConnections }}
IAMRA_MAX_CONNECTIONS: {{ int . | quote }}
{{- end }}
{{- with .connectionsPerPod }}
IAMRA_CONNECTIONS_PER_POD: {{ int . | quote }}
{{- end }}
{{- with .requestsPerSecond }}
IAMRA_REQUESTS_PER_SECOND: {{ int . | quote }}
{{- end }}
{{- with .logLevel }}
IAMRA_LOG_LEVEL: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
