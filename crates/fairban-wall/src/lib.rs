//! The walls around a running process.
