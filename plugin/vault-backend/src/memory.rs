//! Storage in memory, with the failures that tests need.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug, Formatter};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::storage_error::StorageError;

#[derive(Default)]
pub(crate) struct Memory {
    state: Mutex<State>,
    held: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<String, Entry>,
    gets: Vec<String>,
    puts: Vec<String>,
    read_only: bool,
    writes_left: Option<usize>,
    delay: Duration,
    answers_lost: bool,
    /// Reads below this prefix fail.
    unread: Option<String>,
}

#[derive(Clone)]
struct Entry {
    bytes: Vec<u8>,
    sealed: bool,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies the entries, without the failures that a test asked for.
    pub(crate) fn copy(&self) -> Self {
        let state = State { entries: self.state().entries.clone(), ..State::default() };
        Self { state: Mutex::new(state), ..Self::default() }
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        check(key)?;
        let mut state = self.state();
        state.gets.push(key.to_owned());
        state.may_read(key)?;
        Ok(state.entries.get(key).map(|entry| entry.bytes.clone()))
    }

    pub(crate) fn put(&self, key: &str, bytes: Vec<u8>, sealed: bool) -> Result<(), StorageError> {
        check(key)?;
        let mut state = self.state();
        state.may_write()?;
        state.puts.push(key.to_owned());
        state.entries.insert(key.to_owned(), Entry { bytes, sealed });
        state.answer()
    }

    pub(crate) fn delete(&self, key: &str) -> Result<(), StorageError> {
        check(key)?;
        let mut state = self.state();
        state.may_write()?;
        state.entries.remove(key);
        state.answer()
    }

    pub(crate) fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        let state = self.state();
        state.may_read(prefix)?;
        let below = state.entries.keys().filter_map(|key| key.strip_prefix(prefix));
        let children: BTreeSet<_> =
            below.map(|rest| rest.split_inclusive('/').next().unwrap_or(rest).to_owned()).collect();
        Ok(children.into_iter().collect())
    }

    pub(crate) fn fail_reads(&self, prefix: &str) {
        self.state().unread = Some(prefix.to_owned());
    }

    pub(crate) fn fail_writes(&self, read_only: bool) {
        self.state().read_only = read_only;
    }

    pub(crate) fn break_after(&self, writes: usize) {
        self.state().writes_left = Some(writes);
    }

    pub(crate) fn slow_down(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// Waits as long as storage with this delay takes to answer a read.
    pub(crate) async fn answer_time(&self) {
        let delay = self.state().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    pub(crate) fn lose_answers(&self, lost: bool) {
        self.state().answers_lost = lost;
    }

    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// Returns `answer` once answers are no longer held.
    pub(crate) async fn answers<T>(&self, answer: Result<T, StorageError>) -> Result<T, StorageError> {
        let _open = self.held.subscribe().wait_for(|held| !held).await.is_ok();
        answer
    }

    pub(crate) fn gets(&self) -> Vec<String> {
        self.state().gets.clone()
    }

    pub(crate) fn puts(&self) -> Vec<String> {
        self.state().puts.clone()
    }

    pub(crate) fn is_sealed(&self, key: &str) -> bool {
        self.state().entries.get(key).is_some_and(|entry| entry.sealed)
    }
}

/// Refuses the keys that Vault's storage view refuses (sdk, `logical.StorageView`, `ErrRelativePath`).
fn check(key: &str) -> Result<(), StorageError> {
    if key.contains("..") {
        return Err(StorageError::Failed("relative paths not supported".to_owned()));
    }
    Ok(())
}

impl State {
    fn may_read(&self, key: &str) -> Result<(), StorageError> {
        match &self.unread {
            Some(prefix) if key.starts_with(prefix) => {
                Err(StorageError::Failed("not read for a test".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn may_write(&mut self) -> Result<(), StorageError> {
        if self.read_only {
            return Err(StorageError::ReadOnly);
        }
        match &mut self.writes_left {
            Some(0) => Err(StorageError::Failed("broken for a test".to_owned())),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn answer(&self) -> Result<(), StorageError> {
        match self.answers_lost {
            true => Err(StorageError::OutOfReach("the answer was lost for a test".to_owned())),
            false => Ok(()),
        }
    }
}

/// Shows keys only, because entries may be secrets.
impl Debug for Memory {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.state().entries.keys()).finish()
    }
}
