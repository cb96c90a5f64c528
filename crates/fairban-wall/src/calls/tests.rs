//! Both filters are run here as the kernel runs them, on calls that a test cannot make.

use seccompiler::sock_filter;

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Allowed,
    Fails(i32),
    Kills,
}

/// What one filter answers: the few instructions of BPF that filters are made of.
fn run(program: &[sock_filter], arch: TargetArch, call: i64, arguments: &[u64]) -> u32 {
    const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
    const AUDIT_ARCH_AARCH64: u32 = 0xc000_00b7;
    let word = |offset: u32| match offset {
        0 => call as u32,
        4 if arch == TargetArch::x86_64 => AUDIT_ARCH_X86_64,
        4 => AUDIT_ARCH_AARCH64,
        16.. => {
            let argument = arguments.get((offset as usize - 16) / 8).copied().unwrap_or(0);
            if offset.is_multiple_of(8) { argument as u32 } else { (argument >> 32) as u32 }
        }
        _ => panic!("reads offset {offset}"),
    };
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[at];
        at += 1;
        let holds = match code {
            0x06 => return k,
            0x20 => {
                accumulator = word(k);
                continue;
            }
            0x54 => {
                accumulator &= k;
                continue;
            }
            0x05 => {
                at += k as usize;
                continue;
            }
            0x15 => accumulator == k,
            0x25 => accumulator > k,
            0x35 => accumulator >= k,
            _ => panic!("instruction {code:#x}"),
        };
        at += usize::from(if holds { jt } else { jf });
    }
}

/// What the kernel does when both filters have answered: the stricter counts.
fn answer(calls: Calls, denied: Denied, arch: TargetArch, call: i64, arguments: &[u64]) -> Answer {
    const KILL_PROCESS: u32 = 0x8000_0000;
    const ERRNO: u32 = 0x0005_0000;
    const ALLOW: u32 = 0x7fff_0000;
    let programs = [
        unknown_filter(arch).unwrap(),
        main_filter(&lists::of(calls).expect("a filter"), denied, arch).unwrap(),
    ];
    let answers = programs.map(|program| run(&program, arch, call, arguments));
    let strictest = answers.into_iter().min_by_key(|answer| (*answer & 0xffff_0000) as i32);
    let strictest = strictest.expect("two of them");
    match strictest & 0xffff_0000 {
        KILL_PROCESS => Answer::Kills,
        ERRNO => Answer::Fails((strictest & 0xffff) as i32),
        ALLOW => Answer::Allowed,
        other => panic!("answer {other:#x}"),
    }
}

const HERE: TargetArch = if cfg!(target_arch = "aarch64") { TargetArch::aarch64 } else { TargetArch::x86_64 };
const REFUSED: Answer = Answer::Fails(libc::EPERM);

fn reader(call: i64, arguments: &[u64]) -> Answer {
    answer(Calls::Reader, Denied::Fails, HERE, call, arguments)
}

const FILTERED: [Calls; 4] =
    [Calls::Reader, Calls::NetworkHelper, Calls::NetworkHelperWithPrograms, Calls::Firewall];

#[test]
fn what_no_process_of_ours_needs_is_refused_to_all() {
    let harmful = [
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_bpf,
        libc::SYS_mount,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_kexec_load,
        libc::SYS_reboot,
        libc::SYS_setuid,
        libc::SYS_setresuid,
        libc::SYS_setgroups,
        libc::SYS_capset,
        libc::SYS_keyctl,
        libc::SYS_io_uring_setup,
        libc::SYS_userfaultfd,
        libc::SYS_perf_event_open,
        libc::SYS_open_by_handle_at,
        libc::SYS_clock_settime,
        libc::SYS_settimeofday,
        libc::SYS_execveat,
        libc::SYS_pkey_mprotect,
        libc::SYS_shmat,
        libc::SYS_quotactl,
        libc::SYS_seccomp,
    ];
    for calls in FILTERED {
        for call in harmful {
            assert_eq!(answer(calls, Denied::Fails, HERE, call, &[]), REFUSED, "{calls:?}, call {call}");
        }
    }
}

#[test]
fn only_who_starts_programs_may_start_one() {
    let process = libc::SIGCHLD as u64;
    for calls in FILTERED {
        let expected = if calls == Calls::NetworkHelperWithPrograms { Answer::Allowed } else { REFUSED };
        let answers = [
            answer(calls, Denied::Fails, HERE, libc::SYS_execve, &[]),
            answer(calls, Denied::Fails, HERE, libc::SYS_clone, &[process]),
            answer(calls, Denied::Fails, HERE, libc::SYS_kill, &[1, 9]),
        ];
        assert_eq!(answers, [expected; 3], "{calls:?}");
    }
}

#[test]
fn threads_begin_and_namespaces_do_not() {
    // As glibc's pthread_create has it.
    let thread = 0x3d_0f00;
    for calls in FILTERED {
        let clone = |flags: u64| answer(calls, Denied::Fails, HERE, libc::SYS_clone, &[flags]);
        assert_eq!(clone(thread), Answer::Allowed, "{calls:?}");
        for namespace in [libc::CLONE_NEWUSER, libc::CLONE_NEWNET, libc::CLONE_NEWNS] {
            assert_eq!(clone(thread | namespace as u64), REFUSED, "{calls:?}");
            assert_eq!(clone(namespace as u64), REFUSED, "{calls:?}");
        }
        let clone3 = answer(calls, Denied::Fails, HERE, libc::SYS_clone3, &[]);
        assert_eq!(clone3, Answer::Fails(libc::ENOSYS), "{calls:?}");
    }
}

#[test]
fn each_set_has_its_sockets() {
    let domains = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_PACKET];
    let allowed = |calls| {
        domains.map(|domain| {
            answer(calls, Denied::Fails, HERE, libc::SYS_socket, &[domain as u64]) == Answer::Allowed
        })
    };
    assert_eq!(allowed(Calls::Reader), [true, false, false, false, false]);
    assert_eq!(allowed(Calls::NetworkHelper), [true, true, true, true, false]);
    assert_eq!(allowed(Calls::NetworkHelperWithPrograms), [true, true, true, true, false]);
    assert_eq!(allowed(Calls::Firewall), [true, false, false, true, false]);
    // The kernel takes an int: what stands above it does not count.
    assert_eq!(reader(libc::SYS_socket, &[0xffff_ffff_0000_0000 | libc::AF_INET as u64]), REFUSED);
}

#[test]
fn a_reader_has_no_executable_memory() {
    let (data, code) =
        ((libc::PROT_READ | libc::PROT_WRITE) as u64, (libc::PROT_READ | libc::PROT_EXEC) as u64);
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        assert_eq!(reader(call, &[0, 4096, data]), Answer::Allowed);
        assert_eq!(reader(call, &[0, 4096, code]), REFUSED);
    }
}

#[test]
fn a_terminal_is_asked_and_never_typed_into() {
    assert_eq!(reader(libc::SYS_ioctl, &[0, libc::TCGETS]), Answer::Allowed);
    assert_eq!(reader(libc::SYS_ioctl, &[0, libc::TIOCSTI]), REFUSED);
}

#[test]
fn a_process_signals_itself_alone() {
    let own = u64::from(std::process::id());
    assert_eq!(reader(libc::SYS_tgkill, &[own, own, 6]), Answer::Allowed);
    assert_eq!(reader(libc::SYS_tgkill, &[own + 1, own + 1, 6]), REFUSED);
}

#[test]
fn calls_of_the_future_look_missing() {
    for denied in [Denied::Fails, Denied::Kills] {
        for call in [libc::SYS_fchmodat2, 463, 511] {
            assert_eq!(answer(Calls::Reader, denied, HERE, call, &[]), Answer::Fails(libc::ENOSYS));
        }
    }
    assert_eq!(reader(512, &[]), REFUSED);
    assert_eq!(answer(Calls::Reader, Denied::Kills, HERE, libc::SYS_ptrace, &[]), Answer::Kills);
}

#[test]
fn calls_of_another_architecture_are_deadly() {
    let other = if HERE == TargetArch::x86_64 { TargetArch::aarch64 } else { TargetArch::x86_64 };
    let program = main_filter(&lists::of(Calls::Reader).expect("a filter"), Denied::Fails, HERE).unwrap();
    assert_eq!(run(&program, other, libc::SYS_read, &[]), 0x8000_0000);
}
