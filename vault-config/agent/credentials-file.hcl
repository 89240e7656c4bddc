# Vault Agent on a host outside Kubernetes: keeps an AWS credentials file fresh.
#   vault agent -config=/etc/iamra/credentials-file.hcl
#   AWS_SHARED_CREDENTIALS_FILE=/run/iamra/credentials
# SDKs other than Java's read this file once per process. It is right for commands and jobs shorter than a session. A longer process
# fails at the first expiry: give it credential-process.hcl or listener.hcl.
#
# Change the three places marked "yours". /run/iamra must exist, on memory (/run is), and belong to the user who runs both the Agent
# and the application: with 0600 nobody else reads the file. iamra-agent@.service does that.

vault {
  address = "https://vault.example.com:8200" # yours
  # No retry block here: num_retries = -1, right for a listener, would switch off the templates' own retries with their back-off.
}

auto_auth {
  method "approle" {
    config = {
      role_id_file_path   = "/etc/iamra/role-id"   # yours
      secret_id_file_path = "/etc/iamra/secret-id" # yours
      # The Agent logs in again after a restart and when its token reaches token_max_ttl, so the file must stay.
      remove_secret_id_file_after_reading = false
    }
  }
}

template_config {
  # While Vault or AWS is away, the Agent retries for ever, and the last file stays.
  exit_on_retry_failure = false
}

template {
  contents    = "{{ with secret \"iamra/creds/payments-api\" }}{{ .Data.credentials_file }}{{ end }}"
  destination = "/run/iamra/credentials"
  # The default is 0644, which everybody can read.
  perms                = "0600"
  error_on_missing_key = true
}
