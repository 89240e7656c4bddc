//! The schema of a path: the one description from which parser, path-help and `OpenAPI` are made.

/// The kind of a field's value. Each kind takes what Vault's own kind of that name takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldKind {
    /// Text. JSON numbers and booleans become text.
    String,
    /// A whole number of 64 bits, also as decimal text.
    Int,
    /// `true` or `false`, also as text, as `1`/`0` and as `t`/`f`.
    Bool,
    /// A span of time: a number is seconds; text may carry a unit (`"90"`, `"1h30m"`, `"2d"`). Never negative.
    Duration,
    /// An array of texts, or one text separated by commas.
    List,
    /// An object of text, or a list of `key=value`.
    Pairs,
    /// One or more PEM blocks. Its value never appears in an error.
    Pem,
}

impl FieldKind {
    /// The name of the kind in path-help.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            FieldKind::String => "string",
            FieldKind::Int => "int",
            FieldKind::Bool => "bool",
            FieldKind::Duration => "duration",
            FieldKind::List => "list",
            FieldKind::Pairs => "key-value pairs",
            FieldKind::Pem => "PEM text",
        }
    }
}

/// The meaning of a comma in the text of a [`FieldKind::List`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commas {
    /// The end of an element.
    Part,
    /// The end of an element, although the sender may have meant it as a character of one.
    MayBelong,
}

/// One named parameter of a path.
///
/// ```
/// use vault_backend::Field;
///
/// const FIELDS: &[Field] = &[
///     Field::string("role_arn", "The role to assume.").required(),
///     Field::duration("session_duration", "How long a session lasts.").default_text("3600"),
///     Field::string("key_type", "The kind of key.").one_of(&["ec", "rsa"]),
/// ];
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: FieldKind,
    pub(crate) help: &'static str,
    pub(crate) writing: Writing,
    pub(crate) default_text: Option<&'static str>,
    pub(crate) one_of: &'static [&'static str],
    pub(crate) sensitive: bool,
    pub(crate) deprecated: bool,
    pub(crate) commas: Commas,
    /// In bytes; if none, the bound of its kind.
    pub(crate) longest: Option<usize>,
    /// In entries; if none, 32.
    pub(crate) most: Option<usize>,
}

/// Whether writes may set a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// Writes may set it.
    Optional,
    /// Writes must set it.
    Required,
    /// Only reads show it.
    Never,
}

impl Field {
    const fn new(name: &'static str, kind: FieldKind, help: &'static str) -> Field {
        Field {
            name,
            kind,
            help,
            writing: Writing::Optional,
            default_text: None,
            one_of: &[],
            sensitive: false,
            deprecated: false,
            commas: Commas::Part,
            longest: None,
            most: None,
        }
    }

    /// A [`FieldKind::String`].
    #[must_use]
    pub const fn string(name: &'static str, help: &'static str) -> Field {
        Field::new(name, FieldKind::String, help)
    }

    /// A [`FieldKind::Int`].
    #[must_use]
    pub const fn int(name: &'static str, help: &'static str) -> Field {
        Field::new(name, FieldKind::Int, help)
    }

    /// A [`FieldKind::Bool`].
    #[must_use]
    pub const fn bool(name: &'static str, help: &'static str) -> Field {
        Field::new(name, FieldKind::Bool, help)
    }

    /// A [`FieldKind::Duration`].
    #[must_use]
    pub const fn duration(name: &'static str, help: &'static str) -> Field {
        Field::new(name, FieldKind::Duration, help)
    }

    /// A [`FieldKind::List`].
    #[must_use]
    pub const fn list(name: &'static str, help: &'static str) -> Field {
        Field::new(name, FieldKind::List, help)
    }

    /// A [`FieldKind::Pairs`].
    #[must_use]
    pub const fn pairs(name: &'static str, help: &'static str) -> Field {
        Field::new(name, FieldKind::Pairs, help)
    }

    /// A [`FieldKind::Pem`].
    #[must_use]
    pub const fn pem(name: &'static str, help: &'static str) -> Field {
        Field::new(name, FieldKind::Pem, help)
    }

    /// Refuses a write without the field; of a document, one that leaves it without a value.
    #[must_use]
    pub const fn required(mut self) -> Field {
        self.writing = Writing::Required;
        self
    }

    /// Documents the default in path-help and `OpenAPI`. It documents only: the value of an absent field stays `None`.
    #[must_use]
    pub const fn default_text(mut self, text: &'static str) -> Field {
        self.default_text = Some(text);
        self
    }

    /// The only accepted values; for a list, of each element.
    #[must_use]
    pub const fn one_of(mut self, values: &'static [&'static str]) -> Field {
        self.one_of = values;
        self
    }

    /// Keeps the value out of every error text, and makes Vault's UI mask it.
    #[must_use]
    pub const fn sensitive(mut self) -> Field {
        self.sensitive = true;
        self
    }

    /// Marks the elements of a list as prose, such as names of companies, which may hold commas. The response to a text
    /// that was split at them has a warning.
    #[must_use]
    pub const fn prose(mut self) -> Field {
        self.commas = Commas::MayBelong;
        self
    }

    /// Marks the field as deprecated.
    #[must_use]
    pub const fn deprecated(mut self) -> Field {
        self.deprecated = true;
        self
    }

    /// Accepts texts, or entries, of up to this many bytes. The default is 4 KiB, for PEM 64 KiB; the whole body may
    /// have 1 MiB.
    #[must_use]
    pub const fn longest(mut self, bytes: usize) -> Field {
        self.longest = Some(bytes);
        self
    }

    /// Accepts up to this many entries or pairs. The default is 32.
    #[must_use]
    pub const fn at_most(mut self, entries: usize) -> Field {
        self.most = Some(entries);
        self
    }

    /// Marks the field as shown by reads only. A [`crate::Change`] may repeat it, but not change it.
    #[must_use]
    pub const fn read_only(mut self) -> Field {
        self.writing = Writing::Never;
        self
    }

    /// The name on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What the field holds.
    #[must_use]
    pub const fn kind(&self) -> FieldKind {
        self.kind
    }

    pub(crate) fn is_required(&self) -> bool {
        self.writing == Writing::Required
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.writing == Writing::Never
    }

    pub(crate) fn hides_value(&self) -> bool {
        self.sensitive || self.kind == FieldKind::Pem
    }
}
