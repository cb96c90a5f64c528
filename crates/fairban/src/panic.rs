//! `fairban panic`: everybody is let in at once, whatever lives or hangs.
//!
//! The kernel first, which asks nobody; then the service is sent to shadow mode, or finds a note where it keeps its state
//! when it starts; then the kernel again, for what was ordered in between.

use std::fs;
use std::path::Path;

use fairban_control::{ActionDone, Client, ClientError, Mode, Request, Response, Shown};
use fairban_firewall::remove_everything;

use crate::Done;
use crate::cli::PanicArgs;
use crate::config::{Config, Paths};
use crate::error::{self, Failure, Kind, shown};

/// The note, in the state's folder.
pub(crate) const NOTE: &str = "panic";

/// Lets everybody in.
///
/// # Errors
/// Something of ours may still shut somebody out: we are not root, or the service neither answers nor may be told by us.
pub(crate) fn panic(args: &PanicArgs) -> Done {
    // What is wrong with the kernel the second time is wrong.
    let _ = remove_everything();
    let told = tell_service(&args.talk.socket()?);
    let removed = remove_everything();
    let mut remarks = Vec::new();
    if let Err(error) = &told {
        remarks.push(leave_note(args.talk.config.as_deref(), error)?);
    }
    match (&removed, &told) {
        (Ok(()), _) => {}
        (Err(error), Ok(())) => remarks.push(format!(
            "the table in the kernel stays ({error}); the service, which has the right, has emptied it"
        )),
        (Err(error), Err(_)) => {
            let failure = Failure::new(Kind::Environment, "bans may still be in the kernel").caused_by(error);
            return Err(failure.hint("as root: fairban panic; or: nft delete table inet fairban"));
        }
    }
    tell(args, remarks)
}

/// Sends the service to shadow mode.
fn tell_service(socket: &Path) -> Result<(), ClientError> {
    let mut client = Client::connect(socket)?;
    client.ask(&Request::Mode { mode: Mode::Shadow }).map(|_| ())
}

/// The next start finds it. What to say of it.
fn leave_note(config: Option<&Path>, error: &ClientError) -> Result<String, Failure> {
    let Ok(loaded) = Config::load(&Paths::new(config)) else {
        return Ok(format!(
            "{error}; and its configuration is wrong, so it cannot be left a note: when it starts again, order \
             fairban mode shadow"
        ));
    };
    let folder = &loaded.config.state_dir.value;
    if !folder.is_dir() {
        return Ok(format!("{error}, and has never run"));
    }
    let note = folder.join(NOTE);
    fs::write(&note, "").map_err(|cause| {
        let message = format!("nobody is shut out now; but {error}, and {} cannot be made", shown(&note));
        Failure::new(Kind::Environment, message)
            .caused_by(&cause)
            .hint("when the service starts again: fairban mode shadow")
    })?;
    let running = if error.is_not_running() { "" } else { "; one that hangs must be killed" };
    Ok(format!("{error}: when it starts it begins in shadow mode{running}"))
}

fn tell(args: &PanicArgs, remarks: Vec<String>) -> Done {
    if args.talk.json {
        let done = ActionDone {
            action: Shown::of("panic"),
            changed: true,
            mode: Mode::Shadow,
            remarks: remarks.into_iter().map(Shown::of).collect(),
            ..ActionDone::default()
        };
        return crate::verbs::print_line(&Response::Done(done));
    }
    error::note("nobody is shut out any more; go on with: fairban mode live");
    for remark in &remarks {
        error::note(remark);
    }
    Ok(())
}
