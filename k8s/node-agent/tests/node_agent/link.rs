//! `link` in a network of its own, which a user namespace gives to who is not root.

use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_iamra-node-agent");

/// Runs a shell script as root of a new network, with `$agent` as the program. `set -e` ends it at its first failure.
fn in_a_network(script: &str) -> Output {
    let run = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "sh", "-ec", script])
        .env("agent", PROGRAM)
        .env("LC_ALL", "C")
        .output();
    run.expect("unshare runs: apt-get install util-linux")
}

#[track_caller]
fn succeeds(script: &str) -> String {
    let output = in_a_network(script);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    format!("{out}{err}")
}

#[track_caller]
fn fails(script: &str) -> String {
    let output = in_a_network(script);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "{out}{err}");
    format!("{out}{err}")
}

/// How often each of the two addresses is on a link.
const COUNT: &str = "ip -o address show | grep -cE '169.254.170.23/32|fd00:ec2::23/128'";

#[test]
fn the_link_has_both_addresses_and_a_second_run_changes_nothing() {
    let script = format!(
        "ip link set lo up; $agent link; ip -o address show >before; $agent link; ip -o address show >after; cmp before after; {COUNT}"
    );
    let folder = tempfile::tempdir().unwrap();

    let text = succeeds(&format!("cd {}; {script}", folder.path().display()));

    assert!(text.lines().any(|line| line == "2"), "{text}");
}

#[test]
fn a_kernel_without_dummy_links_has_the_addresses_on_the_loopback_link() {
    let has_dummies = in_a_network("ip link add probe type dummy").status.success();

    let text = succeeds("$agent link; ip -o address show");

    let link = if has_dummies { "iamra0" } else { "lo" };
    let on_link = |line: &str| line.contains(&format!(" {link} ")) && line.contains("169.254.170.23/32");
    assert!(text.lines().any(on_link), "{text}");
    assert_eq!(text.contains("the kernel has no dummy links"), !has_dummies, "{text}");
}

#[test]
fn a_server_listens_on_the_address_that_the_link_has() {
    let text = succeeds(
        "ip link set lo up; $agent link\n\
         $agent serve --vault-addr http://127.0.0.1:9 --listen 169.254.170.23:80,[fd00:ec2::23]:80 --metrics-listen 127.0.0.1:9810 2>log & pid=$!\n\
         for _ in $(seq 100); do grep -q 'serving the pods' log && break; sleep 0.05; done\n\
         kill $pid; wait $pid; cat log; rm log",
    );

    assert!(text.contains(r#""listen":"[169.254.170.23:80, [fd00:ec2::23]:80]""#), "{text}");
}

#[test]
fn a_link_with_another_address_keeps_it_and_gets_the_right_one() {
    let text = succeeds(
        "$agent link --name lo --address 169.254.170.99/32; $agent link --name lo --address 169.254.170.23/32; ip -o address show",
    );

    assert!(text.contains("169.254.170.99/32") && text.contains("169.254.170.23/32"), "{text}");
    assert!(text.contains("the link has other addresses too, which stay"), "{text}");
}

#[test]
fn a_name_that_another_kind_of_link_has_is_refused() {
    let text = fails("ip link add iamra0 type bridge; $agent link");

    assert!(text.contains("iamra0 is a link of the kind bridge, not dummy: give another --name"), "{text}");
}

#[test]
fn an_address_that_another_link_has_is_refused() {
    let text = fails(
        "ip link add pod-id-link0 type bridge; ip address add 169.254.170.23/32 dev pod-id-link0; $agent link",
    );

    assert!(text.contains("169.254.170.23 is on the link pod-id-link0 already"), "{text}");
}

#[test]
fn a_node_without_ipv6_has_the_other_address_alone_and_an_explicit_one_is_refused() {
    let without = "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6; echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; ";

    let standard = succeeds(&format!("{without} $agent link; {COUNT}"));
    let explicit = fails(&format!("{without} $agent link --address fd00:ec2::23/128"));

    assert!(standard.lines().any(|line| line == "1"), "{standard}");
    assert!(
        explicit.contains("--address fd00:ec2::23/128: this node has no IPv6; leave the address out"),
        "{explicit}"
    );
}

#[test]
fn who_may_not_change_the_network_is_told_the_capability() {
    let run = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--net",
            "setpriv",
            "--bounding-set",
            "-net_admin",
            "--inh-caps",
            "-all",
            PROGRAM,
            "link",
        ])
        .output()
        .expect("unshare and setpriv run: apt-get install util-linux");

    let text = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success() && text.contains("link needs CAP_NET_ADMIN"), "{text}");
}

#[test]
fn a_startup_probe_is_answered_by_the_agent_of_its_own_container_alone() {
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--pid", "--fork", "--mount-proc", "sh", "-ec"])
        .arg(
            "ip link set lo up\n\
             $agent serve --vault-addr http://127.0.0.1:9 --listen 127.0.0.1:8080 --metrics-listen 127.0.0.1:9810 2>/dev/null & pid=$!\n\
             for _ in $(seq 100); do $agent ready 2>&1 | grep -q 'Vault has not answered yet' && break; sleep 0.05; done\n\
             $agent ready 2>&1 || echo same: $?\n\
             unshare --pid --fork --mount-proc $agent ready 2>&1 || echo other: $?\n\
             kill $pid",
        )
        .env("agent", PROGRAM)
        .output()
        .expect("unshare runs: apt-get install util-linux");

    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("not ready: Vault has not answered yet") && text.contains("same: 1"), "{text}");
    assert!(text.contains("no agent runs in this container") && text.contains("other: 1"), "{text}");
}
