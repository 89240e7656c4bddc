//! The stored record of sessions: segments in buckets, one bucket for each hour in which sessions expire.
//!
//! What is over goes bucket by bucket. A segment is written by the process that named it and by no other, and the record decides
//! nothing that a check of a write reads, so these Puts take no [`Writer`](super::Writer)'s turn.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use vault_backend::{Blame, Fault};

use crate::records::session_event::{Began, EventSegment};
use crate::store::{SESSION_PREFIX, SESSION_RECORD, Store};

/// Segments that are read or deleted at once.
const AT_ONCE: usize = 16;

/// What a reading does where storage does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnSilence {
    /// It fails.
    Fail,
    /// It goes on, and names the part as one that cannot be read.
    GoOn,
}

/// The hour since 1970 in which a session expires.
pub(crate) type ExpiryHour = i64;

impl Store {
    /// Returns the buckets that hold segments, in no order. A name that is no bucket's is skipped.
    pub(crate) async fn buckets(&self) -> Result<Vec<ExpiryHour>, Fault> {
        let names = self.storage.list(SESSION_PREFIX).await?;
        Ok(names.iter().filter_map(|name| name.strip_suffix('/')?.parse().ok()).collect())
    }

    /// Reads a bucket. The second value has the keys of segments that cannot be read: damaged ones, and those of a later version.
    ///
    /// # Errors
    /// Storage's, if it does not give the list of segments, or with [`OnSilence::Fail`] one of them.
    pub(crate) async fn segments(
        &self,
        bucket: ExpiryHour,
        on_silence: OnSilence,
    ) -> Result<(Vec<EventSegment>, Vec<String>), Fault> {
        let (mut segments, mut unreadable) = (Vec::new(), Vec::new());
        let keys = self.segment_keys(bucket).await?;
        let mut reads =
            stream::iter(keys).map(async |key| (self.storage.get_json(&key).await, key)).buffered(AT_ONCE);
        while let Some((read, key)) = reads.next().await {
            match read {
                Ok(segment) => segments.extend::<Option<EventSegment>>(segment),
                Err(fault) if matches!(fault.blame(), Blame::Operator | Blame::Bug) => unreadable.push(key),
                Err(_) if on_silence == OnSilence::GoOn => unreadable.push(key),
                Err(fault) => return Err(fault),
            }
        }
        Ok((segments, unreadable))
    }

    /// Stores a segment under `name`, which only this process may use.
    ///
    /// # Errors
    /// Storage's. The segment may be stored all the same.
    pub(crate) async fn put_segment(
        &self,
        bucket: ExpiryHour,
        name: &str,
        segment: &EventSegment,
    ) -> Result<(), Fault> {
        self.storage.put_json(&format!("{}{name}", Self::bucket_key(bucket)), segment).await
    }

    /// Deletes a bucket, and returns the number of its segments.
    ///
    /// # Errors
    /// Storage's. The rest of the bucket stays then.
    pub(crate) async fn delete_bucket(&self, bucket: ExpiryHour) -> Result<usize, Fault> {
        let keys = self.segment_keys(bucket).await?;
        let count = keys.len();
        let deletions = stream::iter(keys).map(async |key| self.storage.delete(&key).await);
        deletions.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        Ok(count)
    }

    /// Returns since when the mount keeps the record; `None` before the first session.
    pub(crate) async fn record_began(&self) -> Result<Option<Began>, Fault> {
        self.storage.get_json(SESSION_RECORD).await
    }

    pub(crate) async fn put_record_began(&self, began: Began) -> Result<(), Fault> {
        self.storage.put_json(SESSION_RECORD, &began).await
    }

    /// Returns the prefix of the keys of a bucket.
    pub(crate) fn bucket_key(bucket: ExpiryHour) -> String {
        format!("{SESSION_PREFIX}{bucket}/")
    }

    async fn segment_keys(&self, bucket: ExpiryHour) -> Result<Vec<String>, Fault> {
        let folder = Self::bucket_key(bucket);
        let names = self.storage.list(&folder).await?;
        Ok(names.into_iter().map(|name| format!("{folder}{name}")).collect())
    }
}
