variable "ca_pem" {
  description = "To make the trust anchor: what `vault read -format=raw iamra/trust-bundle` prints, the engine's issuing CA, two during a rotation, never a parent. From then on the engine keeps the bundle, and Terraform leaves it alone."
  type        = string
  default     = ""

  validation {
    condition     = var.ca_pem == "" || can(regex("^-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\\s-]+-----END CERTIFICATE-----\\s*$", var.ca_pem))
    error_message = "ca_pem is not PEM of certificates alone."
  }
}

variable "trust_anchor_arn" {
  description = "In place of ca_pem: a trust anchor that holds this mount's issuers and nobody else's."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:rolesanywhere:[a-z0-9-]+:[0-9]{12}:trust-anchor/[0-9a-f-]{36})?$", var.trust_anchor_arn))
    error_message = "trust_anchor_arn is not the ARN of a trust anchor."
  }

  validation {
    condition     = (var.trust_anchor_arn == "") != (var.ca_pem == "")
    error_message = "Give ca_pem to make a trust anchor, or trust_anchor_arn for one that is there; not both."
  }
}

variable "application_actions" {
  description = "What applications use of AWS at all, such as [\"s3:*\", \"sqs:SendMessage\"]: the most that any application role may do."
  type        = list(string)

  validation {
    condition     = length(var.application_actions) > 0 && !contains(var.application_actions, "*")
    error_message = "application_actions \"*\" would be no boundary; name the services that applications use."
  }
}

variable "target_role_arns" {
  description = "Roles, of other accounts as a rule, that application roles may assume: target_role_arn of the engine's roles."
  type        = list(string)
  default     = []

  validation {
    condition     = !contains(var.target_role_arns, "*")
    error_message = "target_role_arns \"*\" would let every session turn into one that a revocation cannot reach; name the roles."
  }
}

variable "application_boundary_arn" {
  description = "Empty to make the applications' permissions boundary; in another region of the account first_region has it."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:iam::[0-9]{12}:policy/.+)?$", var.application_boundary_arn))
    error_message = "application_boundary_arn is not the ARN of a managed policy."
  }
}

variable "other_trust_anchor_arns" {
  description = "In the first region of an account with several: the output trust_anchor_arn of the other modules. The trust policies of the applications' roles name exactly these and its own."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.other_trust_anchor_arns) <= 7 && alltrue([for arn in var.other_trust_anchor_arns : can(regex("^arn:aws[a-z-]*:rolesanywhere:[a-z0-9-]+:[0-9]{12}:trust-anchor/[0-9a-f-]{36}$", arn))])
    error_message = "other_trust_anchor_arns has a value that is not the ARN of a trust anchor, or more than 7."
  }

  validation {
    condition     = length(var.other_trust_anchor_arns) == 0 || var.first_region == null
    error_message = "Give other_trust_anchor_arns in the region that makes the roles, and first_region in every other; not both."
  }
}

variable "first_region" {
  description = "In another region of an account: the module of the first one, such as module.iamra. It has the applications' roles and their boundary, because IAM is one for all regions; this one makes profiles for them."
  type = object({
    application_boundary_arn = string
    applications             = map(object({ role_arn = string }))
  })
  default = null

  validation {
    condition     = var.first_region == null || var.application_boundary_arn == ""
    error_message = "Give first_region, which has the boundary, or application_boundary_arn; not both."
  }
}

variable "application_role_path" {
  description = "The path of the IAM roles whose sessions may be ended. Not \"/\", which every role is under, and not one that holds the path of the management roles."
  type        = string
  default     = "/iamra/"

  validation {
    condition     = can(regex("^/[a-zA-Z0-9_.-]+/([a-zA-Z0-9_.-]+/)*$", var.application_role_path))
    error_message = "application_role_path is not a path such as /iamra/."
  }
}

variable "management_role_path" {
  description = "The path of the three management roles; no application role may be under it."
  type        = string
  default     = "/iamra-management/"

  validation {
    condition     = can(regex("^/[a-zA-Z0-9_.-]+/([a-zA-Z0-9_.-]+/)*$", var.management_role_path))
    error_message = "management_role_path is not a path such as /iamra-management/."
  }

  validation {
    condition     = !startswith(var.management_role_path, var.application_role_path) && !startswith(var.application_role_path, var.management_role_path)
    error_message = "Neither of application_role_path and management_role_path may hold the other."
  }
}

variable "applications" {
  description = "The service accounts, by a name of your choice: the IAM role's name, who may assume it, and the managed policies that say what it may do. session_seconds is the longest session; the engine's role asks for its session_duration and gets the smaller. accept_role_session_name: whether that role may name its sessions, for connections that pin the principal."
  type = map(object({
    role_name                = string
    cluster                  = string
    namespace                = string
    service_account          = string
    session_seconds          = optional(number, 14400)
    accept_role_session_name = optional(bool, false)
    managed_policy_arns      = optional(list(string), [])
  }))
  default = {}

  validation {
    condition = alltrue([for application in var.applications : alltrue([
      can(regex("^[a-zA-Z0-9+=,.@_-]{1,64}$", application.role_name)),
      can(regex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", application.cluster)),
      can(regex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", application.namespace)),
      can(regex("^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$", application.service_account)),
      application.session_seconds >= 3600 && application.session_seconds <= 43200,
    ])])
    error_message = "An application has a role_name, cluster, namespace or service_account that is no such name, or session_seconds outside 3600 to 43200."
  }
}
