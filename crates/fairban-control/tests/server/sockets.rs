//! The sockets' files: where they stand, what they replace, what they leave alone.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener;

use fairban_control::{BindError, Client, ClientError, read_door};

use super::*;

#[test]
fn modes_and_owners_are_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/control.sock");
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    let server = Server::bind(&path, &Access::default()).unwrap();
    assert_eq!((mode(&path), mode(&read_door(&path))), (0o600, 0o666));
    assert_eq!(mode(path.parent().unwrap()), 0o755);
    drop(server);
    let own = fs::metadata(folder.path()).unwrap().gid();
    let server = Server::bind(&path, &Access { group: Some(own), readers: false }).unwrap();
    assert_eq!((mode(&path), fs::metadata(&path).unwrap().gid()), (0o660, own));
    // Nothing that was made on the way is left.
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 2);
    server.start().unwrap().0.stop();
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let (running, asked, _) = Server::bind(&path, &Access::default()).unwrap().start().unwrap();
    let refused = Server::bind(&path, &Access::default());
    assert!(matches!(refused, Err(BindError::InUse { .. })), "{refused:?}");
    assert!(refused.unwrap_err().to_string().contains("stop it"));
    let mut client = Raw::connect(&path);
    client.say(format!("{PING}\n"));
    asked.recv_timeout(LIMIT).unwrap().reply.send(Response::Pong { version: Shown::of("1") });
    assert!(matches!(client.hear(), Some(Response::Pong { .. })));
    running.stop();
}

#[test]
fn what_is_not_a_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    fs::write(&path, "precious").unwrap();
    assert!(matches!(Server::bind(&path, &Access::default()), Err(BindError::NotASocket { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    // Nor is anything left of the attempt where the second socket has no room.
    fs::remove_file(&path).unwrap();
    fs::write(read_door(&path), "precious").unwrap();
    assert!(matches!(Server::bind(&path, &Access::default()), Err(BindError::NotASocket { .. })));
    assert!(!path.exists());
}

#[test]
fn a_path_that_is_too_long_is_said() {
    let path = PathBuf::from(format!("/tmp/{}", "x".repeat(120)));
    let error = Server::bind(&path, &Access::default()).unwrap_err();
    assert!(matches!(error, BindError::TooLong { .. }) && error.to_string().contains("at most 98 bytes"));
}

#[test]
fn a_socket_that_took_our_place_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let (running, ..) = Server::bind(&path, &Access::default()).unwrap().start().unwrap();
    fs::remove_file(&path).unwrap();
    let _theirs = UnixListener::bind(&path).unwrap();
    running.stop();
    assert!(fs::metadata(&path).unwrap().file_type().is_socket());
}

#[test]
fn a_client_without_a_service_is_told_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let check = |said: &str| {
        let error = Client::connect(&path).unwrap_err();
        assert!(
            error.is_not_running() && error.to_string().contains("no fairban listens"),
            "{said}: {error}"
        );
        assert!(error.hint().unwrap().contains("fairban run"));
    };
    check("nothing is there");
    drop(UnixListener::bind(&path).unwrap());
    check("somebody was there");
}

#[test]
fn a_client_of_something_else_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let ask = |answer: &[u8]| {
        let mut client = Client::connect(&path).unwrap();
        let (mut theirs, _) = listener.accept().unwrap();
        theirs.write_all(answer).unwrap();
        drop(theirs);
        client.ask(&Request::Ping).unwrap_err()
    };
    assert!(matches!(ask(b""), ClientError::Closed { .. }));
    assert!(matches!(ask(b"{\"v\":1,\"answer\":\"po"), ClientError::Closed { .. }));
    let other = ask(b"HTTP/1.1 400 \x1b[31mBad\n");
    assert!(other.to_string().contains("not fairban's control protocol"), "{other}");
    assert!(!other.to_string().contains('\u{1b}'));
    let newer = ask(b"{\"v\":2,\"answer\":\"pong\"}\n");
    assert!(newer.to_string().contains("speaks version 2") && newer.hint().unwrap().contains("same version"));
}
