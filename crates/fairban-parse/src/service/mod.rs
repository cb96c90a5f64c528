//! One grammar a service. Each is hand-written over bytes and anchored at both ends, the trusted end first.

pub mod dovecot;
pub(crate) mod fields;
pub mod pam;
pub mod postfix;
pub mod sshd;
pub mod tcpserver;
pub mod vpopmail;
