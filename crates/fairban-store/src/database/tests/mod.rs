mod contents;
mod document;
mod fixture;
mod full_disk;
mod hostile;
mod old_history;
mod opening;
mod thread;
