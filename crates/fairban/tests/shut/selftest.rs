//! `fairban check --firewall`, as root and as those who may not.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use crate::fairban_fw;

fn check(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let [out, err] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (status.code(), out, err)
}

#[test]
fn it_proves_with_packets_that_bans_bite_here() {
    fairban_fw();
    let (code, out, err) = check(Command::new(env!("CARGO_BIN_EXE_fairban")).args(["check", "--firewall"]));
    // What this machine has besides may be worth a warning; that it bites is not in doubt.
    assert!(matches!(code, Some(0 | 1)), "{code:?}\n{out}{err}");
    assert!(!out.contains(" NO "), "{out}");
    for family in ["IPv4", "IPv6"] {
        for part in ["before the ban, packets pass", "no new connection does", "SOCK_DESTROY", "pass again"] {
            let line = out.lines().find(|line| line.contains(family) && line.contains(part));
            assert!(line.is_some_and(|line| line.starts_with("yes")), "{family}, {part}:\n{out}");
        }
    }
    for fact in ["Linux ", "DESTROYSETELEM", "ct count", "table"] {
        assert!(out.contains(fact), "{fact}:\n{out}");
    }
    let json = check(Command::new(env!("CARGO_BIN_EXE_fairban")).args(["check", "--firewall", "--json"])).1;
    let objects: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let proofs = objects.iter().filter(|object| object["action"] == "proof");
    assert_eq!(proofs.map(|proof| proof["holds"] == true).collect::<Vec<_>>(), [true; 10]);
}

#[test]
fn who_lacks_a_right_is_told_which_and_what_to_do() {
    let program = env!("CARGO_BIN_EXE_fairban");
    let mut without = Command::new("setpriv");
    without.args(["--bounding-set", "-net_admin", program, "check", "--firewall"]);
    let (code, out, err) = check(&mut without);
    assert_eq!((code, out.as_str()), (Some(69), ""), "{err}");
    assert!(err.contains("CAP_NET_ADMIN") && err.contains("--cap-add NET_ADMIN"), "{err}");
    // A copy, for nobody may not look into this folder.
    let folder = tempfile::Builder::new().prefix("fairban").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let copy = folder.path().join("fairban");
    std::fs::copy(program, &copy).unwrap();
    let (code, _, err) = check(Command::new(copy).args(["check", "--firewall"]).uid(65_534).gid(65_534));
    assert_eq!(code, Some(69), "{err}");
    assert!(err.contains("only root") && err.contains("sudo"), "{err}");
}
