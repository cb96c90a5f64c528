//! The lists: what libc, the standard library, a database and a shell call, by purpose.

use libc::c_long;

use super::Calls;

/// When a call is allowed.
#[derive(Clone, Debug)]
pub(super) enum When {
    Always,
    /// When one of these holds.
    Any(Vec<Condition>),
}

/// `argument & mask == value`, of the lower 32 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Condition {
    pub(super) argument: u8,
    pub(super) mask: u32,
    pub(super) value: u32,
}

/// Flags of `clone` that make namespaces.
const NEW_NAMESPACES: i32 = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// The set with its conditions; `None` for no filter.
pub(super) fn of(calls: Calls) -> Option<Vec<(i64, When)>> {
    let (lists, mut conditions): (&[&[c_long]], _) = match calls {
        Calls::Any => return None,
        Calls::Reader => (&[BASE, READ, WRITE, WATCH, SOCKETS], unix_sockets()),
        Calls::NetworkHelper => (&[BASE, READ, SOCKETS, EXECUTABLE_MEMORY], internet_sockets()),
        Calls::NetworkHelperWithPrograms => {
            (&[BASE, READ, WRITE, WATCH, SOCKETS, EXECUTABLE_MEMORY, PROGRAMS], internet_sockets())
        }
        Calls::Firewall => (&[BASE, SOCKETS], netlink_sockets()),
    };
    if calls == Calls::NetworkHelperWithPrograms {
        conditions
            .push((libc::SYS_clone, any([Condition { argument: 0, mask: NEW_NAMESPACES as u32, value: 0 }])));
    } else {
        conditions.extend(no_process_but_threads());
    }
    conditions.extend(harmless_uses());
    conditions.extend(lists.iter().flat_map(|list| list.iter()).map(|call| (*call, When::Always)));
    Some(conditions)
}

/// What libc must believe to be missing: `clone3`, and all that is newer than these lists. Numbers from 424 on are the
/// same on all architectures; from 512 on x86 has old ones again.
pub(super) fn unknown() -> impl Iterator<Item = i64> {
    const NEWER: std::ops::Range<i64> = 452..512;
    NEWER.chain([libc::SYS_clone3])
}

fn any<const N: usize>(conditions: [Condition; N]) -> When {
    When::Any(conditions.to_vec())
}

fn equal(argument: u8, value: i32) -> Condition {
    Condition { argument, mask: u32::MAX, value: value as u32 }
}

fn sockets_of<const N: usize>(domains: [i32; N]) -> Vec<(i64, When)> {
    vec![
        (libc::SYS_socket, any(domains.map(|domain| equal(0, domain)))),
        (libc::SYS_socketpair, any([equal(0, libc::AF_UNIX)])),
    ]
}

fn unix_sockets() -> Vec<(i64, When)> {
    sockets_of([libc::AF_UNIX])
}

/// Resolvers also ask netlink for the addresses of this host, and local daemons for names.
fn internet_sockets() -> Vec<(i64, When)> {
    sockets_of([libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK])
}

fn netlink_sockets() -> Vec<(i64, When)> {
    sockets_of([libc::AF_UNIX, libc::AF_NETLINK])
}

fn no_process_but_threads() -> [(i64, When); 1] {
    let thread = libc::CLONE_THREAD as u32;
    let mask = NEW_NAMESPACES as u32 | thread;
    [(libc::SYS_clone, any([Condition { argument: 0, mask, value: thread }]))]
}

/// Calls with harmful uses that nobody of ours has.
fn harmless_uses() -> Vec<(i64, When)> {
    let not_executable = any([Condition { argument: 2, mask: libc::PROT_EXEC as u32, value: 0 }]);
    let terminal_and_flags = [libc::TCGETS, libc::TIOCGWINSZ, libc::FIONREAD, libc::FIONBIO, libc::FIOCLEX];
    let own_process = std::process::id() as i32;
    vec![
        (libc::SYS_mmap, not_executable.clone()),
        (libc::SYS_mprotect, not_executable),
        // libc raises and aborts by it.
        (libc::SYS_tgkill, any([equal(0, own_process)])),
        (libc::SYS_prctl, any([equal(0, libc::PR_SET_NAME), equal(0, libc::PR_GET_NAME)])),
        // To ask, not to set.
        (libc::SYS_prlimit64, any([equal(2, 0)])),
        (libc::SYS_ioctl, any(terminal_and_flags.map(|request| equal(1, request as i32)))),
    ]
}

/// Memory, threads, signals, time, and what is done with descriptors that are open.
const BASE: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_futex_waitv,
    libc::SYS_get_robust_list,
    libc::SYS_getcpu,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getgroups,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_getresgid,
    libc::SYS_getresuid,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_pselect6,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sigaltstack,
    libc::SYS_signalfd4,
    libc::SYS_sysinfo,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
    libc::SYS_times,
    libc::SYS_uname,
    libc::SYS_waitid,
    libc::SYS_wait4,
    libc::SYS_write,
    libc::SYS_writev,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_arch_prctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_dup2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_getrlimit,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_pipe,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_select,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
];

/// To find and read files.
const READ: &[c_long] = &[
    libc::SYS_chdir,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fadvise64,
    libc::SYS_fchdir,
    libc::SYS_fstatfs,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_readlinkat,
    libc::SYS_statfs,
    libc::SYS_statx,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
];

/// To write files, as a database does.
const WRITE: &[c_long] = &[
    libc::SYS_copy_file_range,
    libc::SYS_fallocate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_linkat,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_msync,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_sync_file_range,
    libc::SYS_syncfs,
    libc::SYS_truncate,
    libc::SYS_umask,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_creat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_link,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mknod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rmdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
];

/// To be told of changes to files.
const WATCH: &[c_long] = &[
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_rm_watch,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_inotify_init,
];

/// What is done with sockets; which there can be is a condition.
const SOCKETS: &[c_long] = &[
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_listen,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
];

/// Libraries are loaded: by a resolver while it runs, by a program at its start.
const EXECUTABLE_MEMORY: &[c_long] = &[libc::SYS_mmap, libc::SYS_mprotect];

/// To start programs, end them, and what a shell and `journalctl` call besides.
const PROGRAMS: &[c_long] = &[
    libc::SYS_capget,
    libc::SYS_execve,
    libc::SYS_getpgid,
    libc::SYS_getpriority,
    libc::SYS_getsid,
    libc::SYS_getxattr,
    libc::SYS_ioctl,
    libc::SYS_kill,
    libc::SYS_memfd_create,
    libc::SYS_name_to_handle_at,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_prctl,
    libc::SYS_prlimit64,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_setpgid,
    libc::SYS_setsid,
    libc::SYS_tgkill,
    libc::SYS_tkill,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_getpgrp,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
];
