//! The promises of the log, tested through the whole layer.

use proptest::prelude::*;
use serde_json::Value;
use time::macros::datetime;
use tracing::{debug, error, info, info_span, subscriber::with_default, trace, warn};

use super::claims::{Tape, one_line};
use super::*;

/// The bytes that `log` writes.
fn raw(log: impl FnOnce()) -> String {
    let tape = Tape::default();
    let clock = || datetime!(2026-08-01 12:34:56.000_007 UTC);
    with_default(Registry::default().with(HclogLayer::with_clock(tape.clone(), clock)), log);
    tape.text()
}

/// The one line that `log` writes, checked against every demand of the host.
fn line(log: impl FnOnce()) -> serde_json::Map<String, Value> {
    one_line(&raw(log))
}

#[test]
fn an_event_becomes_the_line_that_hclog_reads() {
    let raw = raw(|| info!(target: "engine::creds", role = "demo", "issued"));

    assert_eq!(
        raw,
        concat!(
            r#"{"@level":"info","@message":"issued","@module":"engine::creds","#,
            r#""@timestamp":"2026-08-01T12:34:56.000007Z","role":"demo"}"#,
            "\n"
        )
    );
}

#[test]
fn each_level_has_the_name_hclog_knows() {
    let level = |log: fn()| line(log)["@level"].clone();

    assert_eq!(level(|| trace!("x")), "trace");
    assert_eq!(level(|| debug!("x")), "debug");
    assert_eq!(level(|| warn!("x")), "warn");
    assert_eq!(level(|| error!("x")), "error");
}

#[test]
fn values_keep_their_kind() {
    let line = line(|| info!(count = 3, debt = -4_i64, share = 0.5, ok = true, list = ?[1, 2], "x"));

    assert_eq!(line["count"], 3);
    assert_eq!(line["debt"], -4);
    assert_eq!(line["share"], 0.5);
    assert_eq!(line["ok"], true);
    assert_eq!(line["list"], "[1, 2]");
}

#[test]
fn numbers_that_the_host_would_round_or_reject_become_text() {
    let line = line(|| info!(large = u64::MAX, small = i64::MIN, huge = u128::MAX, none = f64::NAN, "x"));

    assert_eq!(line["large"], "18446744073709551615");
    assert_eq!(line["small"], "-9223372036854775808");
    assert_eq!(line["huge"], u128::MAX.to_string());
    assert_eq!(line["none"], "NaN");
}

#[test]
fn a_message_that_is_a_number_is_still_text() {
    assert_eq!(line(|| info!(message = 5))["@message"], "5");
    assert_eq!(line(|| info!(message = true))["@message"], "true");
    assert_eq!(line(|| info!(message = 0.5))["@message"], "0.5");
    assert_eq!(line(|| info!(count = 1))["@message"], "");
}

#[test]
fn a_field_cannot_take_the_place_of_the_hosts_keys() {
    let line = line(|| info!("@level" = 5, "@message" = false, "@timestamp" = "never", "truth"));

    assert_eq!(line["@level"], "info");
    assert_eq!(line["@message"], "truth");
    assert_eq!(line["@timestamp"], "2026-08-01T12:34:56.000007Z");
    assert_eq!(line["_level"], 5);
}

#[test]
fn a_line_break_cannot_forge_a_second_line() {
    let line = line(|| info!(who = "a\r\nb", "issued\n2026-08-01T00:00:00Z [ERROR] forged"));

    assert_eq!(line["@message"], r"issued\n2026-08-01T00:00:00Z [ERROR] forged");
    assert_eq!(line["who"], r"a\r\nb");
}

#[test]
fn every_line_carries_the_fields_of_the_spans_around_it() {
    let line = line(|| {
        let _mount = info_span!("mount", mount = "secrets_1", role = "outer").entered();
        let inner = info_span!("request", role = tracing::field::Empty, id = 1);
        let _request = inner.clone().entered();
        inner.record("role", "inner");
        info!(id = 2, "x");
    });

    assert_eq!(line["mount"], "secrets_1");
    assert_eq!(line["role"], "inner");
    assert_eq!(line["id"], 2);
}

#[test]
fn a_line_too_long_for_the_host_is_cut_and_says_so() {
    let long = "\"".repeat(100_000);

    let line = line(|| info!(a = long, b = long, c = long, d = long, e = long, f = long, g = 1, "{long}"));

    assert!(line["@message"].as_str().unwrap().ends_with('…'));
    assert!(line["a"].as_str().unwrap().ends_with('…'));
    assert_eq!(line["g"], 1);
    assert_eq!(line["fields_left_out"], 2);
}

#[test]
fn a_host_that_reads_no_more_harms_nothing() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    with_default(Registry::default().with(HclogLayer::new(Closed)), || error!("unheard"));
}

#[test]
fn quiet_crates_may_warn_and_no_more() {
    let filter = filter(Level::DEBUG, &["mysql"]);

    assert!(filter.would_enable("engine::creds", &Level::DEBUG));
    assert!(!filter.would_enable("engine::creds", &Level::TRACE));
    for guest in ["h2::codec", "mysql_async::conn", "hyper_util::client::legacy", "tokio_rustls::client"] {
        assert!(!filter.would_enable(guest, &Level::DEBUG), "{guest}");
        assert!(filter.would_enable(guest, &Level::WARN), "{guest}");
    }
}

proptest! {
    #[test]
    fn no_event_can_break_a_line(message in any::<String>(), text in any::<String>(), number: f64, large: u64, odd: i128) {
        line(|| {
            let _span = info_span!("around", "@level" = large, text).entered();
            warn!("@message" = number, "@timestamp" = odd, large, value = ?text, "a b\n" = text, "{message}");
        });
    }

    #[test]
    fn no_size_can_make_a_line_too_long(character: char, length in 0_usize..200_000, many in any::<[bool; 3]>()) {
        let long = character.to_string().repeat(length);

        line(|| {
            let _outer = info_span!("outer", a = ?long, b = long).entered();
            let _inner = info_span!("inner", c = ?long, d = long, many = ?many).entered();
            error!(e = long, f = ?long, "{long}");
        });
    }

    #[test]
    fn no_field_name_can_pass_for_the_hosts_keys(name in any::<String>()) {
        let key = fields::key(&name);

        prop_assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)));
    }

    #[test]
    fn every_instant_has_six_fraction_digits_and_an_offset(seconds in -60_000_000_000_i64..250_000_000_000, nanos in 0_i64..1_000_000_000) {
        let now = OffsetDateTime::from_unix_timestamp(seconds).unwrap() + time::Duration::nanoseconds(nanos);

        let text = LogLine::new(now, Level::INFO, "m", Fields::default()).finish();

        let line: Value = serde_json::from_str(&text).unwrap();
        let stamp = line["@timestamp"].as_str().unwrap();
        prop_assert_eq!(stamp.len(), "2026-08-01T12:34:56.000007Z".len());
        prop_assert!(stamp.ends_with('Z') && stamp.as_bytes()[19] == b'.');
    }
}
