//! What hostile peers say: strangers, and a host gone mad, which holds the right key.

use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, HEADERS, PING, RESET, SETTINGS, SYN, WINDOW, YAMUX_DATA, YAMUX_PING,
    YAMUX_WINDOW, call, frame, http2, message, on_stream, yamux,
};

const MIB: usize = 1 << 20;

const VERSION: &str = "/logical.PluginVersion/Version";
const SHUTDOWN: &str = "/plugin.GRPCController/Shutdown";

/// What strangers say instead of TLS.
pub(crate) fn of_strangers() -> Vec<Vec<u8>> {
    let no_end = [0x16, 3, 1, 0x40, 0].into_iter().chain([0xff; 0x4000]);
    let hello_of_16_mib = [0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff].into_iter().chain([0; 0x3ffc]);
    vec![
        Vec::new(),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        shutdown(),
        vec![0x16, 3, 1, 0, 200, 1, 0, 0],
        no_end.collect(),
        [hello_of_16_mib.collect::<Vec<u8>>(), vec![0x16; MIB]].concat(),
        [0x14, 3, 3, 0, 1, 1].repeat(10_000),
        [0x15, 3, 3, 0, 2, 1, 0].repeat(10_000),
        noise(MIB),
    ]
}

/// What would end a plugin that took it from them.
pub(crate) fn shutdown() -> Vec<u8> {
    [http2(), open(1, SHUTDOWN), frame(DATA, 1, 1, &message(0, 0))].concat()
}

/// What strangers say instead of yamux, beside all of the above on a stream of it.
pub(crate) fn of_strangers_to_yamux() -> Vec<Vec<u8>> {
    let streams = || (1..1024).step_by(2);
    let full = |stream| [yamux(YAMUX_DATA, SYN, stream, 256 << 10), vec![0x16; 256 << 10]].concat();
    let mut all = vec![
        Vec::new(),
        noise(MIB),
        streams().flat_map(full).collect(),
        streams().flat_map(|stream| yamux(YAMUX_WINDOW, SYN, stream, u32::MAX >> 1)).collect(),
        [yamux(YAMUX_WINDOW, SYN, 1, 0), yamux(YAMUX_DATA, 0, 1, 1 << 20)].concat(),
        yamux(YAMUX_DATA, SYN, 1, u32::MAX),
        (0..50_000).flat_map(|id| yamux(YAMUX_PING, SYN, 0, id)).collect(),
        yamux(9, 0xffff, 7, 7),
    ];
    all.extend(of_strangers().iter().map(|text| on_stream(1, text)));
    all
}

/// What a mad host says after TLS. All but the first begin as HTTP/2 does.
pub(crate) fn of_a_mad_host() -> Vec<Vec<u8>> {
    let after_http2 = |rest: Vec<u8>| [http2(), rest].concat();
    let streams = |count: u32| (0..count).map(|nth| 2 * nth + 1);
    let mut all: Vec<Vec<u8>> = malformed_frames().into_iter().map(after_http2).collect();
    all.extend(malformed_messages().into_iter().map(|message| {
        let data = |stream| [open(stream, VERSION), frame(DATA, 1, stream, &message)].concat();
        after_http2(streams(100).flat_map(data).collect())
    }));
    let begun = |stream| {
        [open(stream, VERSION), frame(DATA, 0, stream, &[message(0, 60 << 20), vec![0; 1024]].concat())]
            .concat()
    };
    all.push(after_http2(streams(500).flat_map(begun).collect()));
    all.push(noise(MIB));
    all
}

fn malformed_frames() -> Vec<Vec<u8>> {
    let taken_back = |stream| [open(stream, VERSION), frame(RESET, 0, stream, &[0, 0, 0, 8])].concat();
    // a header of 4000 bytes is put into the table, and then meant 20,000 times by one byte each
    let bomb = [vec![0x40, 1, b'a', 0x7f, 0xa1, 0x1e], vec![b'b'; 4000], vec![0xbe; 12_000]].concat();
    vec![
        Vec::new(),
        vec![0xff; 9],
        frame(HEADERS, END_HEADERS, 1, &noise(1000)),
        [frame(HEADERS, 0, 1, &[]), frame(CONTINUATION, 0, 1, &[0; 1000]).repeat(1000)].concat(),
        frame(HEADERS, END_HEADERS, 1, &bomb),
        frame(PING, 0, 0, b"12345678").repeat(20_000),
        frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]).repeat(20_000),
        frame(WINDOW, 0, 0, &[0x7f, 0xff, 0xff, 0xff]).repeat(2),
        frame(DATA, 0, 7, b"to nobody"),
        (0..5000).flat_map(|nth| taken_back(2 * nth + 1)).collect(),
        (0..20_000).flat_map(|nth| open(2 * nth + 1, VERSION)).collect(),
    ]
}

fn malformed_messages() -> Vec<Vec<u8>> {
    vec![
        message(7, 0),
        [message(1, 4), vec![0; 4]].concat(),
        message(0, u32::MAX),
        [message(0, 1000), noise(1000)].concat(),
        message(0, 5)[..3].to_vec(),
    ]
}

fn open(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &call(path))
}

/// The same bytes each time, without a pattern that any of the parsers knows.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}
