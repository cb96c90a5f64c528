//! vpopmail's vchkpw with `--enable-logging=v`: failing passwords in clear text.

use fairban_core::account::Account;
use fairban_core::event::{Mechanism, Outcome, Service, Session, Tells};
use fairban_core::time::Time;
use fairban_parse::secret::Secrets;

use super::page::{event, protocol_name};
use super::{Answer, Link, Page, Tried};

pub(super) fn tried(page: &mut Page, secrets: &Secrets, now: Time, link: &Link, tried: &Tried<'_>) {
    let name = tried.name.text();
    if name.bytes().any(|byte| matches!(byte, b' ' | b':' | b'\'')) {
        // vchkpw refuses such a name before it logs it.
        return;
    }
    let mut told = event(Service::Vpopmail, Tells::Attempt, link);
    told.account = Account::Known(tried.name.key().clone());
    told.session = Session::Pid(link.pid);
    let begun = page.begin(now, "vpopmail", Some(link.pid));
    page.push(format_args!("vchkpw-{}: ", protocol_name(link.protocol)));
    match tried.answer {
        Answer::In => {
            (told.outcome, told.mechanism) = (Outcome::Success, Mechanism::Plain);
            page.push(format_args!("(PLAIN) login success "));
        }
        Answer::Wrong => {
            told.outcome = Outcome::BadSecret;
            page.push(format_args!("password fail (pass: '"));
            let from = page.at(&begun);
            if tried.digest {
                told.mechanism = Mechanism::Digest;
                page.push(format_args!("{:032x}", digest(now, link)));
            } else {
                let text = tried.secret.to_string();
                told.mechanism = Mechanism::Plain;
                told.secret = Some(secrets.tag(text.as_bytes()));
                told.common_secret = secrets.is_common(text.as_bytes());
                page.push(format_args!("{text}"));
            }
            told.secret_at = Some((from, page.at(&begun)));
            page.push(format_args!("') "));
        }
        // With its database gone vchkpw finds nobody.
        Answer::Unknown | Answer::Down => {
            told.outcome = Outcome::UnknownAccount;
            page.push(format_args!("vpopmail user not found "));
        }
    }
    page.push(format_args!("{name}:{}", link.source));
    page.end(&begun, told);
}

/// Another one with every greeting.
fn digest(now: Time, link: &Link) -> u128 {
    let mixed = (now.micros() as u128) << 64 | u128::from(link.pid) << 32 | u128::from(link.port);
    mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}
