//! The whole service shuts robots out, with real packets: `fairban run` and `fairban-fw` in a network namespace that each
//! test makes for itself, robots and people on another host. It takes root, `ip` and `nft`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::format_push_string,
    clippy::format_collect,
    reason = "prints what it measured; what cannot be set up fails"
)]

#[path = "../kit/mod.rs"]
mod kit;
#[allow(dead_code, reason = "shared with tests that speak to fairban-fw themselves")]
#[path = "../../../fairban-firewall/tests/kernel/net.rs"]
mod net;

#[path = "../kit/fw.rs"]
mod fw;
mod guarded;
mod host;
mod life;
mod limits;
mod lists;
mod panic;
mod selftest;
mod speed;
mod verdicts;

use self::fw::fairban_fw;
