//! Storage behind Vault, over gRPC.

use std::sync::Arc;

use goplugin::MESSAGE_LIMIT;
use proto::pb::storage_client::StorageClient;
use proto::pb::{StorageDeleteArgs, StorageEntry, StorageGetArgs, StorageListArgs, StoragePutArgs};
use tonic::Status;
use tonic::transport::Channel;

use crate::fault::READ_ONLY;
use crate::host_connection::HostConnection;
use crate::storage_error::StorageError;

/// One mount's storage in Vault.
#[derive(Clone, Debug)]
pub(crate) struct VaultStorage(pub(crate) Arc<HostConnection>);

impl VaultStorage {
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let asked = StorageGetArgs { key: key.to_owned() };
        let reply = self.client().await?.get(asked).await.map_err(|status| failed(&status))?.into_inner();
        check_error(&reply.err)?;
        Ok(reply.entry.map(|entry| entry.value))
    }

    pub(crate) async fn put(&self, key: &str, bytes: Vec<u8>, sealed: bool) -> Result<(), StorageError> {
        let entry = StorageEntry { key: key.to_owned(), value: bytes, seal_wrap: sealed };
        let asked = StoragePutArgs { entry: Some(entry) };
        let reply = self.client().await?.put(asked).await.map_err(|status| failed(&status))?;
        check_error(&reply.into_inner().err)
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), StorageError> {
        let asked = StorageDeleteArgs { key: key.to_owned() };
        let reply = self.client().await?.delete(asked).await.map_err(|status| failed(&status))?;
        check_error(&reply.into_inner().err)
    }

    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        let asked = StorageListArgs { prefix: prefix.to_owned() };
        let reply = self.client().await?.list(asked).await.map_err(|status| failed(&status))?.into_inner();
        check_error(&reply.err)?;
        Ok(reply.keys)
    }

    async fn client(&self) -> Result<StorageClient<Channel>, StorageError> {
        let channel = self.0.channel().await.map_err(StorageError::OutOfReach)?;
        let client = StorageClient::new(channel);
        Ok(client.max_decoding_message_size(MESSAGE_LIMIT).max_encoding_message_size(MESSAGE_LIMIT))
    }
}

/// Fails if Vault's storage server sent an error, which is a text.
fn check_error(error: &str) -> Result<(), StorageError> {
    match error {
        "" => Ok(()),
        text if text.contains(READ_ONLY) => Err(StorageError::ReadOnly),
        text => Err(StorageError::Failed(text.to_owned())),
    }
}

fn failed(status: &Status) -> StorageError {
    match check_error(status.message()) {
        Err(StorageError::ReadOnly) => StorageError::ReadOnly,
        _ => StorageError::OutOfReach(format!("{:?}: {}", status.code(), status.message())),
    }
}
