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

    /// Stores `bytes` under `key` and asks Vault to wrap them with its seal too.
    pub async fn put_sealed(&self, key: &str, bytes: Vec<u8>) -> Result<(), StorageError> {
        self.put_entry(key, bytes, true).await
    }

    async fn put_entry(&self, key: &str, bytes: Vec<u8>, sealed: bool) -> Result<(), StorageError> {
        match &self.0 {
            Inner::Memory(memory) => memory.answers(memory.put(key, bytes, sealed)).await,
            Inner::Vault(vault) => vault.put(key, bytes, sealed).await,
        }
    }

    /// Removes `key`; that it was not there is no error.
    pub async fn delete(&self, key: &str) -> Result<(), StorageError> {
        match &self.0 {
            Inner::Memory(memory) => memory.answers(memory.delete(key)).await,
            Inner::Vault(vault) => vault.delete(key).await,
        }
    }

    /// What is directly below `prefix` (which ends in a slash or is empty), in order; a folder ends in a slash.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        match &self.0 {
            Inner::Memory(memory) => {
                memory.answer_time().await;
                memory.answers(Ok(memory.list(prefix))).await
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

    /// Makes every later write fail as on a read-only node, or ends that. Only storage in memory heeds it.
    pub fn fail_writes(&self, read_only: bool) {
        self.memory().fail_writes(read_only);
    }

    /// What a crash would leave now, as storage in memory that works. Empty unless in memory.
    #[must_use]
    pub fn survived(&self) -> Storage {
        Storage(Inner::Memory(Arc::new(self.memory().copy())))
    }

    /// Lets `writes` more writes pass and has the later ones fail, as if Vault died between two Puts. Only storage in memory heeds it.
    pub fn break_after(&self, writes: usize) {
        self.memory().break_after(writes);
    }

    /// Has each later `get` and `list` take `delay`, which paused time skips. Only storage in memory heeds it.
    pub fn slow_down(&self, delay: Duration) {
        self.memory().slow_down(delay);
    }

    /// Makes every later write land and fail nevertheless, as if its answer was lost, or ends that. Only storage in memory heeds it.
    pub fn lose_answers(&self, lost: bool) {
        self.memory().lose_answers(lost);
    }

    /// Makes every later call do its work and keep the answer until this is ended. Only storage in memory heeds it.
    pub fn hold(&self, held: bool) {
        self.memory().hold(held);
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
