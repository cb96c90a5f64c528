//! Answers to the operator: what is asked is told from the desk and the database, what is ordered becomes an entry.

use fairban_control::{
    ALLOW_ROWS_MAX, ActionDone, AllowList, AllowRow, Asked, BanRow, BansPage, By as DecidedBy,
    Mode as ToldMode, Moment, Peer, Problem, Refusal, Reply, Request, Response, Shown, Whom as AskedWhom,
    nats,
};
use fairban_core::account::AccountKey;
use fairban_core::effect::RobotKind;
use fairban_core::engine::{Order, Whom};
use fairban_core::time::Span;
use fairban_firewall::enforcer::Order as DoorOrder;
use ipnet::IpNet;

use super::Office;
use crate::daemon::desk::{ALLOWED_MAX, Action, By, Mode};
use crate::daemon::in_force::InForce;

mod limits;
mod live;
mod status;
mod why;

impl Office {
    pub(super) fn answer(&mut self, asked: Asked) {
        let Asked { request, peer, reply } = asked;
        match request {
            Request::Status => {
                let mut report = Box::new(self.status());
                // What shuts out is asked now, and nobody waits for it but who wants to know.
                self.doors.look(Box::new(move |enforcer| {
                    report.enforcer = status::enforcer_report(enforcer);
                    reply.send(Response::Status(report));
                }));
            }
            Request::Bans { within, after, most } => {
                reply.send(Response::Bans(self.bans(within, after, most)));
            }
            Request::Ban { prefix, seconds, reason } => self.order_ban(&peer, prefix, seconds, reason, reply),
            Request::Unban { whom, forgive } => self.order_unban(&peer, &whom, forgive, reply),
            Request::Allow { prefix, note } => self.allow(&peer, prefix, note, reply),
            Request::AllowList => reply.send(Response::AllowList(self.allow_list())),
            Request::AllowRemove { prefix } => reply.send(self.allow_remove(&peer, prefix)),
            Request::Why { about, at } => self.why(about, at, reply),
            Request::Mode { mode } => self.set_mode(&peer, mode, reply),
            Request::Confirm { connected_ms } => self.confirm(&peer, connected_ms, reply),
            Request::Limits => self.limits(reply),
            Request::LimitSet { name, change } => self.limit_set(&peer, &name, &change, reply),
            Request::LimitOff { name } => self.limit_off(&peer, name.as_ref(), reply),
            Request::LimitReset { name } => self.limit_reset(&peer, name.as_ref(), reply),
            Request::Resume => reply.send(self.resume(&peer)),
            Request::Reload => reply.send(match self.reload_settings() {
                Ok((sequence, remarks)) => {
                    let remarks = remarks.into_iter().map(Shown::spelt).collect();
                    Response::Done(ActionDone {
                        sequence: Some(sequence),
                        changed: true,
                        remarks,
                        ..self.done("reload")
                    })
                }
                Err(why) => Refusal { message: Shown::spelt(why), ..Refusal::new(Problem::Config, "") }
                    .hint("fairban check shows all of it; the old configuration stays in force")
                    .into(),
            }),
            Request::Ping => reply.send(Response::Pong { version: Shown::of(env!("CARGO_PKG_VERSION")) }),
            Request::Report { since } => reply.send(self.report(since)),
            Request::Tail { .. } => {
                reply.send(Refusal::new(Problem::Internal, "the server answers this itself"));
            }
        }
    }

    fn done(&self, action: &str) -> ActionDone {
        let confirm_by = match self.desk.mode() {
            Mode::Live { confirm_until } => confirm_until.map(Moment::from),
            Mode::Shadow => None,
        };
        let mut remarks = self.unkept();
        if !self.desk.mode().is_live() {
            remarks.push(Shown::of("in shadow mode: recorded, not enforced"));
        }
        ActionDone {
            action: Shown::of(action),
            mode: told_mode(self.desk.mode()),
            confirm_by,
            remarks,
            ..ActionDone::default()
        }
    }

    /// That an order does not outlive the process, where that is so.
    fn unkept(&self) -> Vec<Shown> {
        let text = "done, but the disk takes nothing: a restart forgets it; fairban status says why";
        if self.keeper.is_keeping() { Vec::new() } else { vec![Shown::of(text)] }
    }

    fn bans(&mut self, within: Option<IpNet>, after: Option<IpNet>, most: u32) -> BansPage {
        let now = self.now();
        let touches =
            |prefix: &IpNet| within.is_none_or(|other| other.contains(prefix) || prefix.contains(&other));
        let is_on = |ban: &InForce| ban.until.is_none_or(|until| until > now);
        let in_force = || self.desk.bans().iter().filter(|(prefix, ban)| touches(prefix) && is_on(ban));
        let total = in_force().count() as u64;
        let rest = in_force().filter(|(prefix, _)| after.is_none_or(|after| **prefix > after));
        let live = self.desk.mode().is_live() && !self.behind;
        let mut rows: Vec<BanRow> =
            rest.take(most as usize + 1).map(|(prefix, ban)| row(*prefix, ban, live)).collect();
        let next = (rows.len() > most as usize).then(|| {
            rows.truncate(most as usize);
            rows.last().map(|row| row.prefix)
        });
        BansPage {
            rows,
            next: next.flatten(),
            total,
            mode: told_mode(self.desk.mode()),
            at: Moment::from(now),
        }
    }

    fn order_ban(
        &mut self,
        peer: &Peer,
        prefix: IpNet,
        seconds: Option<u32>,
        reason: Option<Shown>,
        reply: Reply,
    ) {
        let prefix = prefix.trunc();
        if let Some(allowed) = self.desk.allowlist().into_iter().find(|allowed| overlap(allowed, &prefix)) {
            if let Some(reason) = self.floor.reason(&prefix) {
                let message = format!("{prefix} is not banned: it is or holds {reason}");
                return reply.send(Refusal::new(Problem::Refused, message));
            }
            let message = format!("{prefix} is not banned: {allowed} is on the allowlist");
            let refusal = Refusal::new(Problem::Refused, message);
            return reply
                .send(refusal.hint(format!("fairban allow remove {allowed}, if it is there by mistake")));
        }
        if prefix.addr().is_loopback() || prefix.addr().is_unspecified() {
            let refusal = Refusal::new(Problem::Refused, format!("{prefix} is this machine itself"));
            return reply.send(refusal);
        }
        let now = self.now();
        let until = seconds.map(|seconds| now.plus(Span::secs(i64::from(seconds))));
        let order = Order::Ban { prefix, until };
        let seq = self.action_at(now, by(peer), Action::Order(order), words(reason));
        let done = ActionDone {
            sequence: Some(seq),
            changed: true,
            affected: 1,
            prefixes: vec![prefix],
            ..self.done("ban")
        };
        if !self.desk.mode().is_live() || self.behind {
            return reply.send(Response::Done(done));
        }
        let again = self.shut(prefix, until, self.last_now()).map(DoorOrder::Ban);
        self.after_doors(again.into_iter().collect(), done, reply);
    }

    /// The same in live mode; where nobody is shut out, whoever shuts out is told, and not waited for.
    fn after_doors_if_live(&self, orders: Vec<DoorOrder>, done: ActionDone, reply: Reply) {
        if self.desk.mode().is_live() {
            return self.after_doors(orders, done, reply);
        }
        self.doors.order(orders, None);
        reply.send(Response::Done(done));
    }

    /// Answers when the doors have carried the orders out, so that what is answered is so.
    fn after_doors(&self, orders: Vec<DoorOrder>, done: ActionDone, reply: Reply) {
        let then = move |carried: Result<Vec<_>, String>| {
            use fairban_firewall::enforcer::Answer;
            let mut done = done;
            match carried {
                Ok(answers) => {
                    for answer in answers {
                        match answer {
                            Answer::Done => {}
                            Answer::Delayed => {
                                done.remarks.push(Shown::of("carried out in a moment: many bans wait"));
                            }
                            Answer::Protected => {
                                let message = "it is or holds an address of this host, a gateway, or what \
                                               /etc/fairban/never-ban names: not shut out";
                                return reply.send(Refusal::new(Problem::Refused, message));
                            }
                            Answer::Failed(why) => done.remarks.push(Shown::of(why)),
                        }
                    }
                    reply.send(Response::Done(done));
                }
                Err(why) => {
                    let refusal =
                        Refusal::new(Problem::Failed, format!("recorded, but not carried out: {why}"));
                    reply.send(
                        refusal.hint("fairban status shows what is wrong; it is tried again by itself"),
                    );
                }
            }
        };
        self.doors.order(orders, Some(Box::new(then)));
    }

    fn order_unban(&mut self, peer: &Peer, whom: &AskedWhom, forgive: bool, reply: Reply) {
        let before: Vec<IpNet> = self.desk.bans().iter().map(|(prefix, _)| *prefix).collect();
        let whom = match whom {
            AskedWhom::Prefix(prefix) => Whom::Prefix(*prefix),
            AskedWhom::Account(account) => Whom::Account(AccountKey::new(&account.bytes())),
            AskedWhom::All => Whom::All,
        };
        let action = Action::Order(Order::Unban { whom, forgive });
        let seq = self.action(by(peer), action, String::new());
        let freed: Vec<IpNet> =
            before.into_iter().filter(|prefix| self.desk.bans().get(prefix).is_none()).collect();
        let mut done = self.done("unban");
        (done.sequence, done.changed, done.affected) =
            (Some(seq), !freed.is_empty() || forgive, freed.len() as u64);
        if freed.is_empty() {
            done.remarks.push(Shown::of("nobody of these was banned"));
        }
        done.prefixes = freed.iter().take(fairban_control::PARTS_MAX).copied().collect();
        let orders = freed.into_iter().map(DoorOrder::Unban).collect();
        self.after_doors_if_live(orders, done, reply);
    }

    fn allow(&mut self, peer: &Peer, prefix: IpNet, note: Option<Shown>, reply: Reply) {
        let prefix = prefix.trunc();
        if self.desk.allowed().len() >= ALLOWED_MAX && !self.desk.allowed().contains_key(&prefix) {
            let message = format!("{ALLOWED_MAX} prefixes are allowed already");
            let refusal = Refusal::new(Problem::Refused, message);
            return reply.send(refusal.hint("put them into the configuration as wider prefixes"));
        }
        let changed = !self.desk.allowed().contains_key(&prefix);
        let seq = self.action(by(peer), Action::Allow { prefix, note: words(note) }, String::new());
        let mut done = ActionDone {
            sequence: Some(seq),
            changed,
            affected: 1,
            prefixes: vec![prefix],
            ..self.done("allow")
        };
        done.remarks = self.unkept();
        // What was ordered so far lets them in; the answer waits for it.
        self.after_doors_if_live(Vec::new(), done, reply);
    }

    fn allow_remove(&mut self, peer: &Peer, prefix: IpNet) -> Response {
        let prefix = prefix.trunc();
        if !self.desk.allowed().contains_key(&prefix) {
            let refusal = if self.desk.allowlist().contains(&prefix) {
                Refusal::new(Problem::Refused, format!("{prefix} is allowed by the configuration"))
                    .hint("take it out of the configuration and run fairban reload")
            } else {
                Refusal::new(Problem::Refused, format!("{prefix} is not on the allowlist"))
                    .hint("fairban allow list shows what is")
            };
            return refusal.into();
        }
        let seq = self.action(by(peer), Action::Disallow { prefix }, String::new());
        let done = ActionDone {
            sequence: Some(seq),
            changed: true,
            affected: 1,
            prefixes: vec![prefix],
            ..self.done("allow-remove")
        };
        Response::Done(ActionDone { remarks: self.unkept(), ..done })
    }

    fn allow_list(&self) -> AllowList {
        let all = self.desk.allowlist();
        let row = |prefix: &IpNet| {
            if let Some(allowed) = self.desk.allowed().get(prefix) {
                let note = (!allowed.note.is_empty()).then(|| Shown::spelt(allowed.note.clone()));
                let (origin, since) = (Shown::of("operator"), Some(Moment::from(allowed.since)));
                return AllowRow { prefix: *prefix, origin, since, note };
            }
            // What the configuration names besides is the machine's own all the same.
            let reason = self.floor.reason(prefix);
            let origin = Shown::of(if reason.is_some() { "machine" } else { "config" });
            AllowRow { prefix: *prefix, origin, since: None, note: reason.map(Shown::of) }
        };
        AllowList { rows: all.iter().take(ALLOW_ROWS_MAX).map(row).collect(), total: all.len() as u64 }
    }

    fn set_mode(&mut self, peer: &Peer, mode: ToldMode, reply: Reply) {
        let name = "mode";
        let was = self.desk.mode();
        match mode {
            ToldMode::Shadow => {
                let seq = self.action(by(peer), Action::Mode(Mode::Shadow), String::new());
                let done = ActionDone { sequence: Some(seq), changed: was.is_live(), ..self.done(name) };
                self.after_doors(vec![DoorOrder::Sync(Vec::new())], done, reply);
            }
            ToldMode::Live if was.is_live() => reply.send(Response::Done(self.done(name))),
            ToldMode::Live => {
                let status = self.doors.status();
                if !status.ready || status.name == "none" {
                    let message = "nothing is set up that could shut anybody out";
                    let refusal = Refusal::new(Problem::Refused, message);
                    return reply.send(
                        refusal.hint("set enforcer in the configuration; fairban check --firewall tests it"),
                    );
                }
                let confirm_until = (!self.desk.confirmed()).then(|| self.now().plus(self.confirm_within));
                let mode = Mode::Live { confirm_until };
                let seq = self.action(by(peer), Action::Mode(mode), String::new());
                let mut done = ActionDone { sequence: Some(seq), changed: true, ..self.done(name) };
                done.remarks.extend(self.what_live_does().into_iter().map(Shown::spelt));
                if self.behind {
                    return reply.send(Response::Done(done));
                }
                done.affected = self.desk.bans().len() as u64;
                let (doors_done, reply) = (done, reply);
                self.shut_all(Some(Box::new(move |carried| match carried {
                    Ok(_) => reply.send(Response::Done(doors_done)),
                    Err(why) => reply.send(Refusal::new(Problem::Failed, why)),
                })));
            }
        }
    }
}

/// Whether either prefix holds the other.
fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

fn by(peer: &Peer) -> By {
    By { uid: peer.uid, pid: i32::try_from(peer.pid).unwrap_or(0) }
}

fn words(text: Option<Shown>) -> String {
    text.map(|text| text.as_str().to_owned()).unwrap_or_default()
}

pub(in crate::daemon) fn told_mode(mode: Mode) -> ToldMode {
    if mode.is_live() { ToldMode::Live } else { ToldMode::Shadow }
}

/// A ban in force as it is listed.
pub(super) fn row(prefix: IpNet, ban: &InForce, enforced: bool) -> BanRow {
    let by = if ban.reason == RobotKind::Operator { DecidedBy::Operator } else { DecidedBy::Evidence };
    BanRow {
        id: ban.id,
        prefix,
        from: Moment::from(ban.from),
        until: ban.until.map(Moment::from),
        reason: Shown::of(ban.reason.name()),
        by,
        evidence: nats(ban.evidence),
        limit: nats(ban.limit),
        attempts: u64::from(ban.attempts),
        accounts: u64::from(ban.accounts),
        weak: ban.weak,
        enforced: enforced && ban.protected.is_none(),
        attempts_since: u64::from(ban.attempts_since),
        note: ban.protected.clone().map(Shown::spelt),
    }
}
