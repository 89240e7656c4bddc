# Vault Agent on a host outside Kubernetes: keeps the JSON document of credential_process fresh, which every SDK reads again automatically.
#   vault agent -config=/etc/iamra/credential-process.hcl
#   AWS_CONFIG_FILE=/etc/iamra/aws-config, which holds (aws-config beside this file):
#     [default]
#     credential_process = cat /run/iamra/aws.json
# The application needs a `cat`, and no AWS_ACCESS_KEY_ID, AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials that would come first.
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
  contents    = "{{ with secret \"iamra/creds/payments-api\" }}{{ .Data.credential_process }}{{ end }}"
  destination = "/run/iamra/aws.json"
  # The default is 0644, which everybody can read.
  perms                = "0600"
  error_on_missing_key = true
}
