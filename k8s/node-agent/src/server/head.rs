//! The head of a request, read to its end within bounds of size and time. hyper parses it; these bounds come first because they must be
//! answered with a text, and cost next to no memory before they are reached.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::refusal::Refusal;

/// The largest head, in bytes: a token of 8 KiB, and as much again for what a client adds.
pub(super) const MAX_HEAD: usize = 16 * 1024;
/// The most lines of a head.
const MAX_LINES: usize = 64;
/// How long a client may take for its head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// What is read at first: a head with a token of 1.5 KiB.
const FIRST_READ: usize = 4 * 1024;

/// A head that is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeadError {
    /// The client is told so.
    Refused(Refusal),
    /// The client has left.
    Gone,
}

/// Reads a head, and what came with it. Its memory is overwritten when it is dropped.
///
/// # Errors
/// It is too large or too slow, or the client left.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Zeroizing<Vec<u8>>, HeadError> {
    match timeout(HEAD_TIMEOUT, read_all(stream)).await {
        Ok(read) => read,
        Err(_) => Err(HeadError::Refused(Refusal::lasting(
            408,
            "HeadTooSlow",
            format!("the head of the request did not come within {} s", HEAD_TIMEOUT.as_secs()),
        ))),
    }
}

async fn read_all(stream: &mut (impl AsyncRead + Unpin)) -> Result<Zeroizing<Vec<u8>>, HeadError> {
    let mut head = Zeroizing::new(Vec::with_capacity(FIRST_READ));
    loop {
        if head.len() == head.capacity() {
            head = larger(&head);
        }
        // the vector has room, and so does not grow
        if !matches!(stream.read_buf(&mut *head).await, Ok(1..)) {
            return Err(HeadError::Gone);
        }
        if is_whole(&head) {
            return Ok(head);
        }
        check_bounds(&head)?;
    }
}

/// The same bytes with room for the largest head: a growing vector would free its old memory uncleared.
fn larger(head: &Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    let mut larger = Zeroizing::new(Vec::with_capacity(MAX_HEAD + 1));
    larger.extend_from_slice(head);
    larger
}

/// Whether the empty line is there that ends a head; hyper takes a lone line feed too.
fn is_whole(head: &[u8]) -> bool {
    head.windows(4).any(|end| end == b"\r\n\r\n") || head.windows(2).any(|end| end == b"\n\n")
}

fn check_bounds(head: &[u8]) -> Result<(), HeadError> {
    let too_large = |what: String| {
        Err(HeadError::Refused(Refusal::lasting(
            431,
            "HeadTooLarge",
            format!("the head of the request {what}"),
        )))
    };
    if head.len() > MAX_HEAD {
        return too_large(format!("has more than {} KiB", MAX_HEAD / 1024));
    }
    if head.split(|byte| *byte == b'\n').count() > MAX_LINES {
        return too_large(format!("has more than {MAX_LINES} lines"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};

    use super::*;

    async fn refused(sent: &[u8]) -> String {
        let (mut client, mut server) = duplex(1 << 21);
        client.write_all(sent).await.unwrap();
        match read(&mut server).await {
            Err(HeadError::Refused(refusal)) => refusal.code.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_head_that_comes_in_pieces_is_whole() {
        let (mut client, mut server) = duplex(64);
        let sent = format!("GET / HTTP/1.1\r\nAuthorization: {}\r\n\r\n", "a".repeat(8000));
        let text = sent.clone();
        let sender = tokio::spawn(async move { client.write_all(text.as_bytes()).await });

        let head = read(&mut server).await.unwrap();

        assert_eq!(*head, sent.as_bytes());
        sender.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_head_beyond_its_bounds_is_refused() {
        assert_eq!(
            refused(format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(1 << 20)).as_bytes()).await,
            "HeadTooLarge"
        );
        assert_eq!(
            refused(format!("GET / HTTP/1.1\r\n{}", "a: b\r\n".repeat(65)).as_bytes()).await,
            "HeadTooLarge"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_stalls_is_refused_after_five_seconds() {
        assert_eq!(refused(b"GET / HTTP/1.1\r\nHost:").await, "HeadTooSlow");
    }

    #[tokio::test]
    async fn a_client_that_leaves_in_its_head_is_gone() {
        let (mut client, mut server) = duplex(64);
        client.write_all(b"GET /").await.unwrap();
        drop(client);

        assert_eq!(read(&mut server).await.unwrap_err(), HeadError::Gone);
    }
}
