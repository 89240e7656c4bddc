# The resources of stack.yaml, for each service account: a role, and a profile that lists it. IAM is one for all regions, so a module of
# another region of the account makes the profile alone.

locals {
  # That of stack.yaml says why these are named one by one.
  trust_anchor_arns = concat([local.trust_anchor_arn], var.other_trust_anchor_arns)

  roles     = var.first_region == null ? var.applications : {}
  role_arns = var.first_region == null ? { for name, role in awscc_iam_role.application : name => role.arn } : { for name, application in var.first_region.applications : name => application.role_arn }
}

resource "awscc_iam_role" "application" {
  for_each             = local.roles
  role_name            = each.value.role_name
  path                 = var.application_role_path
  permissions_boundary = local.application_boundary_arn
  max_session_duration = each.value.session_seconds
  managed_policy_arns  = each.value.managed_policy_arns
  assume_role_policy_document = templatefile("${path.module}/policies/application-trust.json.tftpl", {
    trust_anchor_arns = local.trust_anchor_arns
    account           = local.account
    cluster           = each.value.cluster
    namespace         = each.value.namespace
    service_account   = each.value.service_account
  })

  # The engine denies sessions by an inline policy, which an apply must not remove.
  lifecycle {
    ignore_changes = [policies]
  }
}

# A profile's name takes no dot; a service account's takes one, and no _.
resource "awscc_rolesanywhere_profile" "application" {
  for_each                 = var.applications
  name                     = replace("vault-iamra-${each.value.cluster}-${each.value.namespace}-${each.value.service_account}", ".", "_")
  enabled                  = true
  role_arns                = [local.role_arns[each.key]]
  duration_seconds         = each.value.session_seconds
  accept_role_session_name = each.value.accept_role_session_name
  attribute_mappings = [
    {
      certificate_field = "x509Subject"
      mapping_rules = [
        { specifier = "CN" },
        { specifier = "O" },
        { specifier = "OU" },
      ]
    },
    {
      certificate_field = "x509SAN"
      mapping_rules = [
        { specifier = "URI" },
      ]
    },
  ]
}
