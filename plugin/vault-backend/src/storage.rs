//! The mount's own key-value storage, behind Vault or in memory.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::memory::Memory;
use crate::storage_error::{StorageError, unreadable};
use crate::vault_storage::VaultStorage;

/// Storage of one mount. Clones are handles to the same storage.
#[derive(Clone, Debug)]
pub struct Storage(pub(crate) Inner);

#[derive(Clone, Debug)]
pub(crate) enum Inner {
    Memory(Arc<Memory>),
    Vault(VaultStorage),
}

impl Storage {
    /// Storage that lives as long as its handles, for tests.
    #[must_use]
    pub fn in_memory() -> Storage {
        Storage(Inner::Memory(Arc::default()))
    }

    /// The bytes under `key`.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        match &self.0 {
            Inner::Memory(memory) => {
                memory.answer_time().await;
                memory.answers(memory.get(key)).await
            }
            Inner::Vault(vault) => vault.get(key).await,
        }
    }

    /// Stores `bytes` under `key`.
    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), StorageError> {
        self.put_entry(key, bytes, false).await
    }

    /// Stores `bytes` under `key`, also wrapped with the seal of Vault.
    pub async fn put_sealed(&self, key: &str, bytes: Vec<u8>) -> Result<(), StorageError> {
        self.put_entry(key, bytes, true).await
    }

    async fn put_entry(&self, key: &str, bytes: Vec<u8>, sealed: bool) -> Result<(), StorageError> {
        match &self.0 {
            Inner::Memory(memory) => memory.answers(memory.put(key, bytes, sealed)).await,
            Inner::Vault(vault) => vault.put(key, bytes, sealed).await,
        }
    }

    /// Removes `key`. A key that does not exist is not an error.
    pub async fn delete(&self, key: &str) -> Result<(), StorageError> {
        match &self.0 {
            Inner::Memory(memory) => memory.answers(memory.delete(key)).await,
            Inner::Vault(vault) => vault.delete(key).await,
        }
    }

    /// Lists the entries directly below `prefix` (which ends in a slash or is empty), in order. A folder ends in a
    /// slash.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        match &self.0 {
            Inner::Memory(memory) => {
                memory.answer_time().await;
                memory.answers(memory.list(prefix)).await
            }
            Inner::Vault(vault) => vault.list(prefix).await,
        }
    }

    /// [`Storage::get`] of a JSON text.
    pub async fn get_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StorageError> {
        let Some(bytes) = self.get(key).await? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| unreadable(key, &error))
    }

    /// [`Storage::put`] as a JSON text.
    pub async fn put_json<T: Serialize>(&self, key: &str, value: &T) -> Result<(), StorageError> {
        let bytes = serde_json::to_vec(value).map_err(|error| unreadable(key, &error))?;
        self.put(key, bytes).await
    }

    /// [`Storage::put_sealed`] as a JSON text.
    pub async fn put_json_sealed<T: Serialize>(&self, key: &str, value: &T) -> Result<(), StorageError> {
        let bytes = serde_json::to_vec(value).map_err(|error| unreadable(key, &error))?;
        self.put_sealed(key, bytes).await
    }

    /// Makes every later write fail as on a read-only node, or ends that. Affects storage in memory only.
    pub fn fail_writes(&self, read_only: bool) {
        self.memory().fail_writes(read_only);
    }

    /// Makes every later `get` and `list` of keys that begin with `prefix` fail. Affects storage in memory only.
    pub fn fail_reads(&self, prefix: &str) {
        self.memory().fail_reads(prefix);
    }

    /// A copy of the storage after a crash at this point, in memory and without failures. Empty unless in memory.
    #[must_use]
    pub fn survived(&self) -> Storage {
        Storage(Inner::Memory(Arc::new(self.memory().copy())))
    }

    /// Allows `writes` more writes and fails the later ones, as if Vault died between two of them. Affects storage in
    /// memory only.
    pub fn break_after(&self, writes: usize) {
        self.memory().break_after(writes);
    }

    /// Delays each later `get` and `list` by `delay`, which paused time skips. Affects storage in memory only.
    pub fn slow_down(&self, delay: Duration) {
        self.memory().slow_down(delay);
    }

    /// Makes every later write take effect and still fail, as if its response was lost, or ends that. Affects storage
    /// in memory only.
    pub fn lose_answers(&self, lost: bool) {
        self.memory().lose_answers(lost);
    }

    /// Makes every later call do its work and withhold its result until this is ended. Affects storage in memory only.
    pub fn hold(&self, held: bool) {
        self.memory().hold(held);
    }

    /// The keys read so far, in the order of their Gets. Empty unless in memory.
    #[must_use]
    pub fn gets(&self) -> Vec<String> {
        self.memory().gets()
    }

    /// The keys written so far, in the order of their Puts. Empty unless in memory.
    #[must_use]
    pub fn puts(&self) -> Vec<String> {
        self.memory().puts()
    }

    /// Whether `key` was stored with [`Storage::put_sealed`]. False unless in memory.
    #[must_use]
    pub fn is_sealed(&self, key: &str) -> bool {
        self.memory().is_sealed(key)
    }

    fn memory(&self) -> Arc<Memory> {
        match &self.0 {
            Inner::Memory(memory) => Arc::clone(memory),
            Inner::Vault(_) => Arc::default(),
        }
    }
}
