# The resources of management.yaml, once for each account and region. That file gives the reason of each policy.

locals {
  # Two documents, because a policy takes no empty list of roles.
  application_boundary = length(var.target_role_arns) == 0 ? "application-boundary" : "application-boundary-hops"

  trust_anchor_arn         = var.trust_anchor_arn == "" ? one(awscc_rolesanywhere_trust_anchor.this[*].trust_anchor_arn) : var.trust_anchor_arn
  application_boundary_arn = var.first_region != null ? var.first_region.application_boundary_arn : (var.application_boundary_arn == "" ? one(awscc_iam_managed_policy.application_boundary[*].policy_arn) : var.application_boundary_arn)

  # arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/...
  partition = split(":", local.trust_anchor_arn)[1]
  region    = split(":", local.trust_anchor_arn)[3]
  account   = split(":", local.trust_anchor_arn)[4]

  # The common name of the engine's certificate for each duty.
  duties = {
    trust_anchor = "trust-anchor"
    revocation   = "revocation"
    check        = "check"
  }
}

resource "awscc_rolesanywhere_trust_anchor" "this" {
  count   = var.trust_anchor_arn == "" ? 1 : 0
  name    = "vault-iamra"
  enabled = true
  source = {
    source_type = "CERTIFICATE_BUNDLE"
    source_data = {
      x509_certificate_data = var.ca_pem
    }
  }

  # The engine manages the bundle: an apply in the middle of a rotation would remove its next issuer.
  lifecycle {
    ignore_changes = [source]
  }
}

resource "awscc_iam_managed_policy" "application_boundary" {
  count       = var.first_region == null && var.application_boundary_arn == "" ? 1 : 0
  description = "The most that IAM roles of pods behind vault-plugin-secrets-iamra may do"
  policy_document = templatefile("${path.module}/policies/${local.application_boundary}.json.tftpl", {
    actions          = var.application_actions
    target_role_arns = var.target_role_arns
  })
}

resource "awscc_iam_managed_policy" "management_boundary" {
  description = "The most that the management roles of vault-plugin-secrets-iamra may do"
  policy_document = templatefile("${path.module}/policies/management-boundary.json.tftpl", {
    partition            = local.partition
    account              = local.account
    management_role_path = var.management_role_path
  })
}

resource "awscc_iam_role" "management" {
  for_each             = local.duties
  path                 = var.management_role_path
  permissions_boundary = awscc_iam_managed_policy.management_boundary.policy_arn
  assume_role_policy_document = templatefile("${path.module}/policies/management-trust.json.tftpl", {
    trust_anchor_arn = local.trust_anchor_arn
    account          = local.account
    common_name      = each.value
  })
  policies = [{
    policy_name = "duty"
    policy_document = templatefile("${path.module}/policies/${each.value}.json.tftpl", {
      trust_anchor_arn         = local.trust_anchor_arn
      partition                = local.partition
      region                   = local.region
      account                  = local.account
      application_role_path    = var.application_role_path
      application_boundary_arn = local.application_boundary_arn
    })
  }]
}

resource "awscc_rolesanywhere_profile" "management" {
  name    = "vault-iamra-management"
  enabled = true
  role_arns = [
    awscc_iam_role.management["trust_anchor"].arn,
    awscc_iam_role.management["revocation"].arn,
    awscc_iam_role.management["check"].arn,
  ]
  duration_seconds         = 900
  accept_role_session_name = false
  attribute_mappings = [{
    certificate_field = "x509Subject"
    mapping_rules = [
      { specifier = "CN" },
      { specifier = "O" },
    ]
  }]
}
