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

output "trust_anchor_arn" {
  description = "The trust anchor alone, which other_trust_anchor_arns of the account's first region takes. (The entry waits for that region's boundary.)"
  value       = local.trust_anchor_arn
}

output "application_boundary_arn" {
  description = "The permissions boundary of application roles; the modules of the account's other regions take it from first_region."
  value       = local.application_boundary_arn
}

output "applications" {
  description = "By the names of var.applications, the ARNs of `vault patch iamra/roles/<name>`, or of `kubernetes/setup.sh`; and all fields of `vault write iamra/roles/<namespace>.<serviceaccount>`, for service accounts whose pods use the node agent. Of several regions, a comma and the profile_arn of each other region follow these fields, which another region does not have."
  value = {
    for name, application in var.applications : name => {
      role_arn    = local.role_arns[name]
      profile_arn = awscc_rolesanywhere_profile.application[name].profile_arn
      association = var.first_region != null ? null : join(" ", [
        "role_arn=${local.role_arns[name]}",
        "trust_anchor_arn=${join(",", local.trust_anchor_arns)}",
        "session_duration=${application.session_seconds}",
        "clusters=${application.cluster}",
        "subject=kubernetes",
        "profile_arn=${awscc_rolesanywhere_profile.application[name].profile_arn}",
      ])
    }
  }
}
