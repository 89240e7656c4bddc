//! The format of stored records: JSON objects that say in which format they were written.
//!
//! A later version of the plugin may have written a record that this one reads, before a downgrade or on another node. Such a
//! record is refused as a whole, because one of its fields could grant access that another one was meant to restrict. [`FORMAT`]
//! must rise by one with every release whose records an earlier one would misread; a new field counts too. `tests/stored` holds a
//! storage of each format, and all of them are read for good. Keys are PKCS#8, which has a version of its own.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use vault_backend::{Fault, Storage, StorageError, quote};

/// The format in which records are written, and the newest one that is read.
const FORMAT: u64 = 1;
/// The format of records that were written before records said their format.
const FIRST: u64 = 1;
/// The field of a record that holds its format. No record has a field of its own with this name.
const FIELD: &str = "format";
/// Vault refuses every storage key that holds these characters.
const NO_KEY_HOLDS: &str = "..";

/// A mount's storage, in which every JSON record says its format.
#[derive(Clone)]
pub(crate) struct Records(Storage);

/// A record's own fields, with its format as one more field.
#[derive(Serialize)]
struct Stamped<'a, T> {
    format: u64,
    #[serde(flatten)]
    fields: &'a T,
}

impl Records {
    pub(crate) fn new(storage: Storage) -> Self {
        Self(storage)
    }

    /// Returns the record under `key`; `None` where there is none, and for a key that Vault never stores.
    ///
    /// # Errors
    /// The operator's, where a later version wrote the record; a bug, where the record is damaged; those of storage, which are
    /// for later.
    pub(crate) async fn get_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Fault> {
        if key.contains(NO_KEY_HOLDS) {
            return Ok(None);
        }
        self.0.get(key).await?.map(|bytes| read(key, &bytes)).transpose()
    }

    /// Stores a record, which must be a struct or a map, in the newest format.
    ///
    /// # Errors
    /// The caller's, where the name at the end of the key holds `..`; those of storage. After one of storage the record may be
    /// stored all the same.
    pub(crate) async fn put_json<T: Serialize>(&self, key: &str, fields: &T) -> Result<(), Fault> {
        if key.contains(NO_KEY_HOLDS) {
            return Err(no_name(key));
        }
        Ok(self.0.put_json(key, &Stamped { format: FORMAT, fields }).await?)
    }

    /// Returns the bytes under `key`, for keys that hold no record.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        self.0.get(key).await
    }

    /// As [`Storage::put_sealed`], for bytes that are no record.
    pub(crate) async fn put_sealed(&self, key: &str, bytes: Vec<u8>) -> Result<(), StorageError> {
        self.0.put_sealed(key, bytes).await
    }

    /// As [`Storage::delete`]. A key that Vault never stores is absent already, so that is no error.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), StorageError> {
        if key.contains(NO_KEY_HOLDS) {
            return Ok(());
        }
        self.0.delete(key).await
    }

    /// As [`Storage::list`].
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        self.0.list(prefix).await
    }
}

/// Reads a record of any format up to [`FORMAT`]. Serde's own message may quote the content, so only the kind of its error is
/// reported.
fn read<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, Fault> {
    let refused = |error: serde_json::Error| unreadable(key, format!("{:?} error", error.classify()));
    let record: Value = serde_json::from_slice(bytes).map_err(refused)?;
    match format_of(&record) {
        Some(format) if format <= FORMAT => serde_json::from_value(record).map_err(refused),
        Some(format) => Err(too_new(key, format)),
        None => Err(unreadable(key, format!("{FIELD} is not a number"))),
    }
}

/// The refusal of a key that Vault does not store. Only names from a path can hold `..`, and their field is `name`.
fn no_name(key: &str) -> Fault {
    let name = key.split_once('/').map_or(key, |(_, name)| name);
    Fault::caller(format!(
        "name: {} holds {NO_KEY_HOLDS:?}, which Vault's storage refuses in a key: choose a name without two dots in a row",
        quote(name)
    ))
}

/// The format of a record; `None` where its field is no whole number.
fn format_of(record: &Value) -> Option<u64> {
    record.get(FIELD).map_or(Some(FIRST), Value::as_u64)
}

/// The refusal of a record that a later version of the plugin wrote.
fn too_new(key: &str, format: u64) -> Fault {
    let version = env!("CARGO_PKG_VERSION");
    Fault::operator(format!(
"{key} is stored in format {format}, but this plugin, v{version}, reads formats up to {FORMAT}: a later version wrote it; upgrade the plugin"
)).cure("vault plugin register, vault secrets tune -plugin-version, vault plugin reload")
}

/// The fault of a record that is damaged.
fn unreadable(key: &str, reason: String) -> Fault {
    StorageError::Unreadable { key: key.to_owned(), reason }.into()
}
