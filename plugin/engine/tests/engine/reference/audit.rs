//! The page of the audit log, from the keys that the registration shows in clear.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use vault_backend::reference::PathReference;

use super::markdown::GENERATED;

const ABOUT: &str = "\
Vault's audit log replaces every text of a request and an answer by an HMAC. `vault-config/plugin/register.sh` tunes the mount to show a few keys of
answers in clear (`audit_non_hmac_response_keys`), which are no secret. With them a session in CloudTrail leads to the entry in Vault's audit log and
so to the caller. Numbers are always in clear.

";

const CONTAINER: &str = "\
## `container/{role}`

The whole answer is one HMAC under the key `http_raw_body`. **Never add `http_raw_body` to the keys in clear**: the audit log would then hold
credentials. The plugin's log names the session instead: `issued a session`, `renewed a session ahead of need` or `served a shared session` at level `info`,
with the role, the serial number, the source identity and the expiration.

## Other paths

The same keys are in clear wherever an answer has them: the `serial_number` of an issuer, and `error`, which says why a request was refused.
";

const JOIN: &str = "\
## From CloudTrail to the caller

CloudTrail names a session by its access key, by `role_session_name`, which is the serial number in hexadecimal without colons where the role has no
`role_session_name` of its own, and by its `source_identity`. The audit log has the `access_key` and the `serial_number` with colons; sessions of
`container/{role}` are in the plugin's log. [Who made this call?](../operate/trace.md) has the command that joins them.
";

/// The page.
///
/// # Panics
/// When the registration shows a key that no answer has.
pub(crate) fn page(repository: &Path, paths: &[PathReference]) -> String {
    let clear = keys_in_clear(repository);
    let creds = paths.iter().find(|path| path.template == "creds/{role}").expect("creds is there");
    for key in clear.iter().filter(|key| *key != "error") {
        assert!(creds.answer.iter().any(|answer| answer.name == key), "creds has no {key}");
    }
    let mut text = format!(
        "{GENERATED}# Audit\n\n{ABOUT}## `creds/{{role}}` and `sts/{{role}}`\n\n| key | in the audit log |\n| --- | --- |\n"
    );
    for key in &creds.answer {
        let is_clear = key.kind == "int" || clear.iter().any(|clear| clear == key.name);
        let _ = writeln!(text, "| `{}` | {} |", key.name, if is_clear { "in clear" } else { "HMAC" });
    }
    let _ = write!(text, "\n{CONTAINER}\n{JOIN}");
    text
}

fn keys_in_clear(repository: &Path) -> Vec<String> {
    let script = fs::read_to_string(repository.join("vault-config/plugin/register.sh"))
        .expect("the script can be read");
    let line = script.lines().find_map(|line| line.strip_prefix("readonly AUDIT_KEYS='"));
    line.expect("the script names its keys").trim_end_matches('\'').split(' ').map(str::to_owned).collect()
}
