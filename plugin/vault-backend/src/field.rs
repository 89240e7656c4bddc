//! The schema of a path: the one description from which parser, path-help and `OpenAPI` come.

/// What a field holds. Each kind takes what Vault's own kind of that name takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Text. JSON numbers and booleans are taken as their text.
    String,
    /// A whole number that fits 64 bits. Text in decimal is taken too.
    Int,
    /// `true` or `false`, also as text, as `1`/`0` and as `t`/`f`.
    Bool,
    /// A span of time: a number is seconds; text may carry a unit (`"90"`, `"1h30m"`, `"2d"`). Never negative.
    Duration,
    /// An array of text, or one text parted by commas.
    List,
    /// An object of text, or a list of `key=value`.
    Pairs,
    /// One or more PEM blocks. Its value never appears in an error.
    Pem,
}

impl Kind {
    /// The word path-help shows for the kind.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Int => "int",
            Kind::Bool => "bool",
            Kind::Duration => "duration",
            Kind::List => "list",
            Kind::Pairs => "key-value pairs",
            Kind::Pem => "PEM text",
        }
    }
}

/// What a comma in the text of a [`Kind::List`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commas {
    /// The end of an element.
    Part,
    /// That too, but the sender may have meant it as a character of the element.
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
    pub(crate) kind: Kind,
    pub(crate) help: &'static str,
    pub(crate) writing: Writing,
    pub(crate) default_text: Option<&'static str>,
    pub(crate) one_of: &'static [&'static str],
    pub(crate) sensitive: bool,
    pub(crate) deprecated: bool,
    pub(crate) commas: Commas,
    /// Bytes; its kind's bound where it is none.
    pub(crate) longest: Option<usize>,
    /// Entries; 32 where it is none.
    pub(crate) most: Option<usize>,
}

/// What writes have to do with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// They may give it.
    Optional,
    /// They have to.
    Required,
    /// Only reads show it.
    Never,
}

impl Field {
    const fn new(name: &'static str, kind: Kind, help: &'static str) -> Field {
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

    /// A [`Kind::String`].
    #[must_use]
    pub const fn string(name: &'static str, help: &'static str) -> Field {
        Field::new(name, Kind::String, help)
    }

    /// A [`Kind::Int`].
    #[must_use]
    pub const fn int(name: &'static str, help: &'static str) -> Field {
        Field::new(name, Kind::Int, help)
    }

    /// A [`Kind::Bool`].
    #[must_use]
    pub const fn bool(name: &'static str, help: &'static str) -> Field {
        Field::new(name, Kind::Bool, help)
    }

    /// A [`Kind::Duration`].
    #[must_use]
    pub const fn duration(name: &'static str, help: &'static str) -> Field {
        Field::new(name, Kind::Duration, help)
    }

    /// A [`Kind::List`].
    #[must_use]
    pub const fn list(name: &'static str, help: &'static str) -> Field {
        Field::new(name, Kind::List, help)
    }

    /// A [`Kind::Pairs`].
    #[must_use]
    pub const fn pairs(name: &'static str, help: &'static str) -> Field {
        Field::new(name, Kind::Pairs, help)
    }

    /// A [`Kind::Pem`].
    #[must_use]
    pub const fn pem(name: &'static str, help: &'static str) -> Field {
        Field::new(name, Kind::Pem, help)
    }

    /// Refuses a write that leaves the field out; of a document, one that leaves it without a value.
    #[must_use]
    pub const fn required(mut self) -> Field {
        self.writing = Writing::Required;
        self
    }

    /// Says in path-help and `OpenAPI` what holds when the field is left out. It documents: the value of an absent field stays `None`.
    #[must_use]
    pub const fn default_text(mut self, text: &'static str) -> Field {
        self.default_text = Some(text);
        self
    }

    /// The only values taken; for a list, of each element.
    #[must_use]
    pub const fn one_of(mut self, values: &'static [&'static str]) -> Field {
        self.one_of = values;
        self
    }

    /// Keeps the value out of every error text and has Vault's UI mask it.
    #[must_use]
    pub const fn sensitive(mut self) -> Field {
        self.sensitive = true;
        self
    }

    /// Of a list: its elements are prose, such as names of companies, which may hold commas. A text that was split at them is answered with
    /// a warning.
    #[must_use]
    pub const fn prose(mut self) -> Field {
        self.commas = Commas::MayBelong;
        self
    }

    /// Marks the field as one that will go.
    #[must_use]
    pub const fn deprecated(mut self) -> Field {
        self.deprecated = true;
        self
    }

    /// Takes texts, or entries, of up to so many bytes. Without this it is 4 KiB, for PEM 64 KiB; the whole body is 1 MiB at most.
    #[must_use]
    pub const fn longest(mut self, bytes: usize) -> Field {
        self.longest = Some(bytes);
        self
    }

    /// Takes up to so many entries or pairs. Without this it is 32.
    #[must_use]
    pub const fn at_most(mut self, entries: usize) -> Field {
        self.most = Some(entries);
        self
    }

    /// Shown by reads of a document alone. A [`crate::Change`] may repeat it and not change it.
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
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn is_required(&self) -> bool {
        self.writing == Writing::Required
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.writing == Writing::Never
    }

    pub(crate) fn hides_value(&self) -> bool {
        self.sensitive || self.kind == Kind::Pem
    }
}
