//! Amazon resource names, taken apart.

/// `arn:partition:service:region:account:resource`; the resource may hold colons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arn {
    pub(crate) partition: String,
    pub(crate) service: String,
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) resource: String,
}

impl Arn {
    /// `None` unless there are six parts, beginning with `arn` and a partition of AWS's pattern `aws(-[^:]+)?`.
    pub(crate) fn parse(text: &str) -> Option<Arn> {
        let mut parts = text.splitn(6, ':').map(str::to_owned);
        let mut next = || parts.next();
        let (prefix, partition, service, region, account, resource) =
            (next()?, next()?, next()?, next()?, next()?, next()?);
        let known = partition == "aws" || partition.strip_prefix("aws-").is_some_and(|rest| !rest.is_empty());
        (prefix == "arn" && known).then_some(Arn { partition, service, region, account, resource })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_partition_is_no_arn() {
        assert!(Arn::parse("arn:awsome:iam::1:role/x").is_none());
        assert!(Arn::parse("arn:aws-cn:iam::1:role/x").is_some());
        assert!(Arn::parse("arn:aws:iam::1").is_none());
    }
}
