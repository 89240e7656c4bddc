# Vault Proxy on a host outside Kubernetes: answers the AWS SDKs' container-credentials requests on loopback.
#   vault proxy -config=/etc/iamra/listener.hcl
#   AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:8100/v1/iamra/container/payments-api
# (`vault agent` of Vault 1.21.1 accepts the same file, but HashiCorp lists its API proxy as "pending removal".)
#
# Every process of this host that reaches the port can read everything that the Proxy's token can, with any token or none. So run one Proxy per
# host and application, with a policy that opens one container/<role> (policies/application-container.hcl), and on no other
# address than loopback. On a host that several users share use credential-process.hcl, which the file's mode protects.
#
# Change the three places marked "yours".

vault {
  address = "https://vault.example.com:8200" # yours
  retry {
    # No retries in here: with the default of 12 a failing answer reaches the SDK after a minute, as a time-out that hides the reason.
    # Without them it arrives at once and complete, and the SDK does its own retries. A variable VAULT_MAX_RETRIES would outweigh this.
    num_retries = -1
  }
}

auto_auth {
  method "approle" {
    config = {
      role_id_file_path   = "/etc/iamra/role-id"   # yours
      secret_id_file_path = "/etc/iamra/secret-id" # yours
      # The Proxy logs in again after a restart and when its token reaches token_max_ttl, so the file must stay.
      remove_secret_id_file_after_reading = false
    }
  }
}

api_proxy {
  # "force": a token that the application sends is replaced too.
  use_auto_auth_token = "force"
}

listener "tcp" {
  address     = "127.0.0.1:8100"
  tls_disable = true # loopback; SDKs ask http there
}
