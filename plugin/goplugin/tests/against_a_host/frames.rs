//! Frames of yamux and HTTP/2, put together by hand, so that wrong ones can be.

/// What HTTP/2 begins with: the preface, and settings that are empty.
pub(crate) fn http2() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(SETTINGS, 0, 0, b"")].concat()
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const WINDOW: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_HEADERS: u8 = 4;

/// One HTTP/2 frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
}

/// The headers of a gRPC call, as HPACK without a table.
pub(crate) fn call(path: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [
        vec![0x83, 0x86, 0x04],
        text(path),
        vec![0x01],
        text("localhost"),
        vec![0x0f, 0x10],
        text("application/grpc"),
        vec![0x00],
        text("te"),
        text("trailers"),
    ]
    .concat()
}

/// The head of a gRPC message: whether it is compressed, and how long it says it is.
pub(crate) fn message(compressed: u8, length: u32) -> Vec<u8> {
    [[compressed].as_slice(), &length.to_be_bytes()].concat()
}

/// Kinds of yamux frames.
pub(crate) const YAMUX_DATA: u8 = 0;
pub(crate) const YAMUX_WINDOW: u8 = 1;
pub(crate) const YAMUX_PING: u8 = 2;

/// The yamux flag that opens a stream.
pub(crate) const SYN: u16 = 1;

/// The head of a yamux frame; `length` is that of a data frame's body, and a number else.
pub(crate) fn yamux(kind: u8, flags: u16, stream: u32, length: u32) -> Vec<u8> {
    [[0, kind].as_slice(), &flags.to_be_bytes(), &stream.to_be_bytes(), &length.to_be_bytes()].concat()
}

/// Some bytes on yamux stream `stream`, which the first of its frames opens.
pub(crate) fn on_stream(stream: u32, bytes: &[u8]) -> Vec<u8> {
    let open = yamux(YAMUX_WINDOW, SYN, stream, 0);
    let parts = bytes.chunks(16 * 1024).flat_map(|part| {
        [yamux(YAMUX_DATA, 0, stream, u32::try_from(part.len()).unwrap()), part.to_vec()].concat()
    });
    open.into_iter().chain(parts).collect()
}
