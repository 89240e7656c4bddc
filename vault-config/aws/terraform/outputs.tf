output "trust_anchor_entry" {
  description = "The fields of `vault write iamra/trust-anchors/<name>`."
  value = {
    trust_anchor_arn    = local.trust_anchor_arn
    profile_arn         = awscc_rolesanywhere_profile.management.profile_arn
    management_role_arn = awscc_iam_role.management["trust_anchor"].arn
    revocation_role_arn = awscc_iam_role.management["revocation"].arn
    check_role_arn      = awscc_iam_role.management["check"].arn
  }
}

output "application_boundary_arn" {
  description = "The permissions boundary of application roles; application_boundary_arn of the account's other regions."
  value       = local.application_boundary_arn
}

output "applications" {
  description = "By the names of var.applications, the ARNs of `vault patch iamra/roles/<name>`, or of `kubernetes/setup.sh`; and all fields of `vault write iamra/roles/<namespace>.<serviceaccount>`, for service accounts whose pods use the node agent."
  value = {
    for name, role in awscc_iam_role.application : name => {
      role_arn    = role.arn
      profile_arn = awscc_rolesanywhere_profile.application[name].profile_arn
      association = join(" ", [
        "role_arn=${role.arn}",
        "profile_arn=${awscc_rolesanywhere_profile.application[name].profile_arn}",
        "trust_anchor_arn=${local.trust_anchor_arn}",
        "session_duration=${var.applications[name].session_seconds}",
        "clusters=${var.applications[name].cluster}",
        "subject=kubernetes",
      ])
    }
  }
}
