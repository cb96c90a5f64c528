//! Going live, so that nobody locks himself out by it: what it does is said, and it lasts only when somebody has come in
//! from outside since.

use fairban_control::{ActionDone, Moment, Peer, Problem, Refusal, Reply, Response, Shown};
use fairban_core::engine::Order;
use fairban_core::time::Span;

use super::{Office, by};
use crate::daemon::desk::{Action, Mode};
use crate::error::plural;

/// An age as long as this is none: nobody's connection is a century old.
const AGE_MS_MAX: u64 = 100 * 365 * 86_400_000;

impl Office {
    /// What live mode does here, for who has just ordered it: how many, which doors, who never, how to undo it.
    pub(super) fn what_live_does(&self) -> Vec<String> {
        let bans = self.desk.bans();
        let now = self.desk.engine().now();
        let in_force =
            bans.iter().filter(|(_, ban)| ban.until.is_none_or(|until| until > now)).count() as u64;
        let hubs = self.desk.tally().hubs.len() as u64;
        let mut told = vec![
            format!(
                "Shut out at once: {} (fairban bans lists them); later ones as they are decided.",
                plural(in_force, "prefix")
            ),
            format!("Closed to them: {}.", self.facts.closed),
            format!(
                "Never shut out: {} of the allowlist, with this machine's own addresses, gateways and resolvers (fairban \
                 allow list); {}; where people log in, once bans hit several of such sources.",
                plural(self.desk.allowlist().len() as u64, "prefix"),
                plural(hubs, "hub"),
            ),
        ];
        let sessions = self.desk.engine().admin_sessions();
        let mut peers: Vec<String> = sessions.map(|open| open.source.to_string()).collect();
        peers.dedup();
        told.push(if peers.is_empty() {
            "No administrator is logged in over SSH as far as the logs tell; who is would not be cut off."
                .to_owned()
        } else {
            format!("Administrators' open SSH connections stay: from {}.", peers.join(", "))
        });
        told.push("To undo it: fairban mode shadow opens everything at once; so does fairban panic, also when the service is dead.".to_owned());
        told
    }

    /// The operator can still reach the machine, says he. Live mode stays; until now its bans were short.
    pub(super) fn confirm(&mut self, peer: &Peer, connected_ms: Option<u64>, reply: Reply) {
        match self.desk.mode() {
            Mode::Live { confirm_until: Some(until) } => {
                if let Err(refusal) = self.is_new_connection(connected_ms, Moment::from(until)) {
                    return reply.send(refusal);
                }
                let mode = Mode::Live { confirm_until: None };
                let seq = self.action(by(peer), Action::Mode(mode), String::new());
                let done = ActionDone { sequence: Some(seq), changed: true, ..self.done("confirm") };
                if self.behind {
                    return reply.send(Response::Done(done));
                }
                self.shut_all(Some(Box::new(move |carried| match carried {
                    Ok(_) => reply.send(Response::Done(done)),
                    Err(why) => reply.send(Refusal::new(Problem::Failed, format!("confirmed, but: {why}"))),
                })));
            }
            Mode::Live { confirm_until: None } => reply.send(Response::Done(self.done("confirm"))),
            Mode::Shadow => {
                let refusal =
                    Refusal::new(Problem::Refused, "the service watches only; there is nothing to confirm");
                reply.send(refusal.hint("fairban mode live"));
            }
        }
    }

    /// Whether the connection over which something is confirmed was made after going live.
    fn is_new_connection(&mut self, connected_ms: Option<u64>, until: Moment) -> Result<(), Refusal> {
        let hint = format!("log in to this machine anew, by {until}, and say fairban confirm there");
        let Some(age_ms) = connected_ms.filter(|age| *age < AGE_MS_MAX) else {
            let message =
                "nobody knows when this connection was made: it does not prove that you can come in";
            return Err(Refusal::new(Problem::Refused, message).hint(hint));
        };
        // Within bounds, so it fits.
        let made = self.now().minus(Span::millis(age_ms as i64));
        if made > self.desk.mode_since() {
            return Ok(());
        }
        let message = "this connection was made before going live: that it is still open does not prove that you can come in \
                       again";
        Err(Refusal::new(Problem::Refused, message).hint(hint))
    }

    /// Sources at which people log in are banned again.
    pub(super) fn resume(&mut self, peer: &Peer) -> Response {
        let Some(open) = self.desk.engine().breaker() else {
            return Response::Done(self.done("resume"));
        };
        let seq = self.action(by(peer), Action::Order(Order::Resume), String::new());
        let affected = open.spared;
        let mut done = ActionDone { sequence: Some(seq), changed: true, affected, ..self.done("resume") };
        done.remarks.push(Shown::of(format!("sources that were spared: {affected}")));
        Response::Done(done)
    }
}
