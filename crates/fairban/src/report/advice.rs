//! What a log cannot show, and which setting would make it better evidence.

use fairban_core::engine::Blindness;
use fairban_core::event::Service;
use fairban_parse::health::ServiceHealth;

/// A service with so many lines of which none is understood is an alarm.
const LINES_ALARMING: u64 = 10;

/// What to tell the operator about one service; nothing if its log shows what is needed.
pub(crate) fn about(service: Service, health: &ServiceHealth, blindness: Blindness) -> Vec<String> {
    let mut advice = Vec::new();
    if health.lines >= LINES_ALARMING && health.understood == 0 {
        let name = service.name();
        advice.push(format!(
            "{} {name} lines and none understood: what was decided rests on nothing there",
            health.lines
        ));
    }
    if health.login_like > 0 {
        let name = service.name();
        advice.push(format!(
            "{} {name} lines look like the outcome of a login and are not understood",
            health.login_like
        ));
    }
    if blindness.blind {
        advice.push(blind(service).to_owned());
    }
    advice
}

/// The log shows no successes: why that is, and what to change.
pub(crate) const fn blind(service: Service) -> &'static str {
    match service {
        Service::Vpopmail => {
            "vpopmail's log shows no logins, so honest failures cannot be told from others there: it was built with \
             --enable-logging=e (or n); build it with --enable-logging=y (or p, which logs failing passwords too)"
        }
        Service::Dovecot => {
            "dovecot's log shows no logins: keep its messages of level info (mail.info in syslog), and set \
             auth_verbose = yes so that it also says why a login failed"
        }
        Service::Postfix => {
            "postfix logs a login only when it takes a mail: keep its messages of level info (mail.info) with the \
             disconnect lines, which count logins (auth=1/2) since version 3.0"
        }
        Service::Sshd => {
            "sshd's log shows no logins: set LogLevel INFO (or VERBOSE) and keep auth.info in syslog"
        }
        Service::Pam => "PAM's lines show no logins: read the log of the service itself beside them",
        Service::Tcpserver | Service::Sslserver => {
            "tcpserver's log tells of connections, not of logins: read the log of the login program (vpopmail's in \
             the maillog) beside it"
        }
        _ => "the log shows no logins: failures cannot be seen to resolve there",
    }
}
