use std::path::PathBuf;

use fairban_control::{Shown, WhyAccount};

use super::*;

/// A database that knows one account and nobody who is banned.
struct Remembered {
    asked: Vec<&'static str>,
}

impl Offline for Remembered {
    fn status(&mut self) -> Result<StatusReport, Failure> {
        self.asked.push("status");
        Ok(StatusReport { allowed: 7, ..StatusReport::default() })
    }

    fn bans(&mut self, _: Option<IpNet>, after: Option<IpNet>, most: u32) -> Result<BansPage, Failure> {
        assert_eq!((after, most), (None, fairban_control::ROWS_MAX));
        self.asked.push("bans");
        Ok(BansPage::default())
    }

    fn report(&mut self, since: Moment) -> Result<SinceReport, Failure> {
        self.asked.push("report");
        Ok(SinceReport { since, ..SinceReport::default() })
    }

    fn why(&mut self, about: &About, at: Option<Moment>) -> Result<Option<WhyReport>, Failure> {
        self.asked.push("why");
        assert_eq!(at, None);
        let About::Account(account) = about else { return Ok(None) };
        Ok(Some(WhyReport::Account(WhyAccount {
            account: account.clone(),
            at: Moment::default(),
            logins: Vec::new(),
            devices: Vec::new(),
            failed: Vec::new(),
            strangers: 0,
            remarks: Vec::new(),
            history: Vec::new(),
        })))
    }
}

fn talk() -> Talk {
    Talk { json: false, config: None, socket: Some(PathBuf::from("/nonexistent/control.sock")) }
}

#[test]
fn without_a_service_the_database_is_asked_the_same_questions() {
    let mut remembered = Remembered { asked: Vec::new() };
    let mut answers = Answers::find(&talk(), Some(&mut remembered)).unwrap();
    let status = answers.ask(&Request::Status).unwrap();
    assert!(matches!(status, Response::Status(status) if status.allowed == 7));
    let page = answers.ask(&Request::Bans { within: None, after: None, most: fairban_control::ROWS_MAX });
    assert!(matches!(page, Ok(Response::Bans(page)) if page.rows.is_empty()));
    let about = About::Account(Shown::of("dan"));
    let told = answers.ask(&Request::Why { about, at: None }).unwrap();
    assert!(matches!(told, Response::Why(WhyReport::Account(told)) if told.account.as_str() == "dan"));
    let about = About::Prefix("203.0.113.7/32".parse().unwrap());
    let told = answers.ask(&Request::Why { about, at: None }).unwrap();
    assert!(matches!(told, Response::NothingKnown { about } if about.as_str() == "203.0.113.7"));
    let told = answers.ask(&Request::Report { since: Moment::default() }).unwrap();
    assert!(matches!(told, Response::Report(_)));
    assert!(answers.ask(&Request::Reload).is_err());
    assert_eq!(remembered.asked, ["status", "bans", "why", "why", "report"]);
}

#[test]
fn only_verbs_that_look_ask_the_database() {
    let mut remembered = Remembered { asked: Vec::new() };
    let verb = ControlVerb::Reload(talk());
    assert_eq!(run(&verb, Some(&mut remembered)).unwrap_err().kind(), Kind::Environment);
    assert!(remembered.asked.is_empty());
    // And without a database there is nobody to ask.
    assert_eq!(run(&ControlVerb::Status(talk()), None).unwrap_err().kind(), Kind::Environment);
}
