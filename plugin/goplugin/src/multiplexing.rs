//! Whether broker connections share the main one, as the host asks for it.

/// Whether broker connections share the main one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Multiplexing {
    /// The host does not know of it, and would misread a seventh field of the handshake line.
    Unknown,
    /// The host knows of it and does not want it.
    Declined,
    /// Every connection is a stream of one yamux session.
    Wanted,
}

impl Multiplexing {
    /// `Wanted` for the spellings of true in Go's `strconv.ParseBool`, with which hosts and plugins in Go read the variable.
    pub(crate) fn from_variable(value: Option<&str>) -> Self {
        match value {
            None => Self::Unknown,
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Self::Wanted,
            Some(_) => Self::Declined,
        }
    }
}
