# The resources are those of management.yaml and stack.yaml, with the same properties. That is why they come from the Cloud Control
# provider: hashicorp/aws has no attribute mappings of a profile, without which conditions on tags may find no tag.
terraform {
  required_version = ">= 1.9"

  required_providers {
    awscc = {
      source  = "hashicorp/awscc"
      version = ">= 1.0"
    }
  }
}
