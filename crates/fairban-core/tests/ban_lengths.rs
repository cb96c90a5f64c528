//! How long bans last is the operator's: given to a new engine, or to one that is restored.

use std::net::IpAddr;

use fairban_core::account::{Account, AccountKey};
use fairban_core::effect::Effect;
use fairban_core::engine::{BanLengths, Config, Engine};
use fairban_core::event::{AuthEvent, Outcome, Service, Tells};
use fairban_core::time::{Span, Time};

/// A source tries names nobody has until it is banned; the ban's length.
fn ban_of(engine: &mut Engine, last_byte: u8, from_secs: i64) -> Span {
    for n in 0..100 {
        let mut event = AuthEvent::new(Service::Vpopmail, Tells::Attempt);
        event.time = Time::from_secs(from_secs + 2 * n);
        event.source = Some(IpAddr::from([203, 0, 113, last_byte]));
        event.account = Account::Known(AccountKey::new(format!("name{n}@d.example").as_bytes()));
        event.outcome = Outcome::UnknownAccount;
        engine.handle(&event, b"line");
        while let Some(effect) = engine.poll() {
            if let Effect::Ban(ban) = effect {
                return ban.until.expect("it ends").since(ban.time);
            }
        }
    }
    panic!("a scan of a hundred names was not banned");
}

#[test]
fn an_engine_bans_as_long_as_its_operator_says() {
    let day = Span::hours(24);
    let fixed = BanLengths { first: day, longest: day, longest_familiar: day, ladder: 1 };
    let mut usual = Engine::new(Config::new([7; 16]));
    let length = ban_of(&mut usual, 1, 1_000_000);
    assert!((Span::hours(1)..Span::hours(12)).contains(&length), "{length:?}");

    let mut restored = Engine::restore(&usual.snapshot(), Config { bans: fixed, ..Config::new([7; 16]) })
        .expect("it was just written");
    let next = ban_of(&mut restored, 2, 2_000_000);
    // The end of a ban is kept in whole seconds.
    assert!((day.as_secs() - next.as_secs()).abs() <= 1, "{next:?}");
}
