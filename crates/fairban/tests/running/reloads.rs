//! `fairban reload`: parse, check, swap; or keep the old one.

use crate::kit::Home;
use crate::support::{append, line, said};
use crate::verb;

const LOG: &str = "[[input]]\nfile = \"$DIR/log/auth.log\"\n";

#[test]
fn a_log_beside_the_old_one_is_read_after_a_reload() {
    let home = Home::new();
    append(&home.path("log/auth.log"), &line("192.0.2.9", "dan", true));
    home.configure("", LOG);
    let mut service = home.start(&[]);
    service.wait_ready();
    append(&home.path("log/secure"), &line("192.0.2.10", "eve", true));
    home.configure("", &format!("{LOG}[[input]]\nfile = \"$DIR/log/secure\"\n"));
    let done = verb(&home, &["reload"]);
    assert!(done.status.success() && !said(&done).contains("started again"), "{}", said(&done));
    service.wait_until(|status| {
        status.inputs.len() == 2 && status.inputs.iter().all(|input| input.last.is_some())
    });
}

#[test]
fn services_of_an_input_count_after_a_reload() {
    let home = Home::new();
    let log = home.path("log/auth.log");
    append(&log, &line("192.0.2.9", "dan", true));
    home.configure("", &format!("{LOG}services = [\"dovecot\"]\n"));
    let mut service = home.start(&[]);
    service.wait_until(|status| status.inputs.iter().any(|input| input.lines == 1));
    home.configure("", LOG);
    assert!(verb(&home, &["reload"]).status.success());
    append(&log, &line("192.0.2.9", "dan", true));
    service.wait_until(|status| status.inputs.iter().any(|input| input.lines == 2 && input.last.is_some()));
    let told = said(&verb(&home, &["report"]));
    assert!(told.contains("1 attempt"), "what was not believed stays so: {told}");
}
