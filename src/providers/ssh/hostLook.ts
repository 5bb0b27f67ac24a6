/** What a host is, as its shell tells before anything was brought there. */
export interface HostLook {
  readonly system: string;
  readonly machine: string;
  /** Its version of glibc; undefined where that can't be told. */
  readonly glibc?: string | undefined;
  /** Programs are loaded by glibc, or by the C library of Alpine; undefined where neither lies where it belongs. */
  readonly loader?: 'glibc' | 'musl' | undefined;
  /** Bytes that its user may still write. */
  readonly diskFree?: number | undefined;
  readonly memory?: number | undefined;
  /** Bytes of address space that each of its user's processes may take; undefined without a limit. */
  readonly addressSpace?: number | undefined;
  /** What became of a program in our directory. */
  readonly program: { readonly exitCode: number; readonly said: string };
  readonly hasServer: boolean;
  readonly hasPrograms: boolean;
}

/** What the program of {@link lookScript} ends with. */
const programRan = 7;

/** Runs in our directory there; prints what {@link readLook} reads. */
export const lookScript = (serverMark: string, programsMark: string) =>
  [
    'echo "system $(uname -s)"; echo "machine $(uname -m)"',
    'echo "glibc $(getconf GNU_LIBC_VERSION 2>/dev/null || true)"',
    'for f in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1 /lib/ld-musl-*; do if [ -e "$f" ]; then echo "loader $f"; fi; done',
    'echo "disk $(df -Pk . 2>/dev/null | tail -n 1)"',
    'echo "memory $(grep MemTotal: /proc/meminfo 2>/dev/null || true)"',
    'echo "space $(ulimit -v 2>/dev/null || true)"',
    `if [ -f "$1/${serverMark}" ]; then echo server; fi; if [ -x "$2/${programsMark}" ]; then echo programs; fi`,
    'f=./.partial-try$$; s=0',
    `echo "#!/bin/sh" > "$f"; echo "exit ${programRan}" >> "$f"; chmod 700 "$f"`,
    'said=$("$f" 2>&1) || s=$?; rm -f "$f"; echo "program $s $said"',
  ].join('; ');

/** Pure: reads what the script printed. */
export function readLook(printed: string): HostLook {
  const lines = printed.split('\n');
  const valuesOf = (name: string) =>
    lines.flatMap(line => (line.startsWith(`${name} `) ? [line.slice(name.length + 1).trim()] : []));
  const value = (name: string) => valuesOf(name)[0] ?? '';
  const kibibytes = (text: string | undefined) => (text === undefined ? undefined : Number(text) * 1024);
  const loaders = valuesOf('loader');
  const [exitCode = '0', ...said] = value('program').split(' ');
  const disk = value('disk').split(/\s/).filter(Boolean);
  return {
    system: value('system'),
    machine: value('machine'),
    glibc: /^glibc ([\d.]+)/.exec(value('glibc'))?.[1],
    loader: loaders.some(file => file.includes('/ld-linux'))
      ? 'glibc'
      : loaders.some(file => file.includes('/ld-musl'))
        ? 'musl'
        : undefined,
    diskFree: kibibytes(disk[disk.findIndex(field => field.endsWith('%')) - 1]),
    memory: kibibytes(/MemTotal: +(\d+) kB/.exec(value('memory'))?.[1]),
    addressSpace: kibibytes(/^(\d+)$/.exec(value('space'))?.[1]),
    program: { exitCode: Number(exitCode), said: said.join(' ').replace(/^.*\.partial-try\d*: /, '') },
    hasServer: lines.includes('server'),
    hasPrograms: lines.includes('programs'),
  };
}

/** What an editor server needs: of the disk its own size, of the rest what it was seen to take. */
const leastGlibc = '2.28';
const leastMemory = 384 * 1024 ** 2;
const leastAddressSpace = 2 * 1024 ** 3;

/** Why a host can't have instances, in words that go on after "it", and the next step. */
export interface Unfit {
  readonly why: string;
  readonly choose: string;
}

/** Pure: undefined for a host that can. `bytes` is what is still to be brought there. */
export function whyHostUnfit(look: HostLook, bytes: number): Unfit | undefined {
  const { system, machine, glibc, loader, diskFree, memory, addressSpace, program } = look;
  if (!/^(Linux|Darwin)$/.test(system) || !/^(x86_64|amd64|aarch64|arm64)$/.test(machine)) {
    return {
      why: `runs ${system || 'an unknown system'} on ${machine || 'an unknown processor'}, for which there is no editor server`,
      choose: 'Choose a host with Linux or macOS on x86-64 or arm64.',
    };
  }
  if (system === 'Linux' && loader !== 'glibc' && glibc === undefined) {
    return loader === 'musl'
      ? {
          why: 'is built on musl, the C library of Alpine, and the editor server needs glibc',
          choose: 'Choose a host with Debian, Ubuntu, Fedora or RHEL, or a Docker provider on this one.',
        }
      : {
          why: 'has no glibc where programs look for it, as on NixOS',
          choose:
            'On NixOS, set "programs.nix-ld.enable = true"; else choose a host with Debian, Ubuntu, Fedora or RHEL.',
        };
  }
  if (glibc !== undefined && isOlder(glibc, leastGlibc)) {
    return {
      why: `has glibc ${glibc}, and the editor server needs ${leastGlibc}`,
      choose: 'Update it to Debian 10, Ubuntu 20.04 or RHEL 8 or later, or use a Docker provider on it.',
    };
  }
  if (program.exitCode !== programRan) {
    return {
      why: `runs no program from that directory (${program.said || `a script ended with ${program.exitCode}`})`,
      choose: 'The disk may be mounted with "noexec". Name a directory on another one in "directory" of the provider.',
    };
  }
  if (diskFree !== undefined && diskFree < bytes) {
    return {
      why: `has ${megabytes(diskFree)} left on the disk of that directory, and the editor server takes ${megabytes(bytes)}`,
      choose: 'Free some disk space there, or name a directory on another disk in "directory" of the provider.',
    };
  }
  if (memory !== undefined && memory < leastMemory) {
    return {
      why: `has ${megabytes(memory)} of memory, and one editor server takes ${megabytes(leastMemory)}`,
      choose: 'Give it more memory, or choose another host.',
    };
  }
  if (addressSpace !== undefined && addressSpace < leastAddressSpace) {
    return {
      why: `lets a process have ${megabytes(addressSpace)} of address space, and an editor server needs ${megabytes(leastAddressSpace)}`,
      choose: 'Raise that limit: "ulimit -v unlimited" in a start file, or /etc/security/limits.conf.',
    };
  }
  return undefined;
}

/** Pure: the same, from what a script said that could not do its work there. */
export function whyScriptFailed(said: string): Unfit {
  if (/no space left|quota exceeded/i.test(said)) {
    return {
      why: `has no room (${said})`,
      choose: 'Free some disk space there, or have the quota of its user raised.',
    };
  }
  if (/read-only file system/i.test(said)) {
    return { why: `has a read-only disk there (${said})`, choose: elsewhere };
  }
  if (/permission denied|operation not permitted/i.test(said)) {
    return { why: `does not let its user write there (${said})`, choose: elsewhere };
  }
  if (/not a directory|file exists/i.test(said)) {
    return { why: `has something else in that place (${said})`, choose: `Move it away. ${elsewhere}` };
  }
  const library = /error while loading shared libraries: ([^\s:]+)/.exec(said)?.[1];
  if (library !== undefined) {
    return {
      why: `lacks the library ${library}`,
      choose: `Install it there${library.startsWith('libstdc++') ? ' (libstdc++6 on Debian and Ubuntu, libstdc++ on Fedora and RHEL)' : ''}, and try again.`,
    };
  }
  if (/: (command )?not found/.test(said)) {
    return {
      why: `lacks a program, or a PATH that leads to it (${said})`,
      choose: 'Check what its start files make of PATH.',
    };
  }
  return {
    why: `failed at it (${said})`,
    choose: 'It needs Linux with glibc, room on the disk, and a directory in which programs may run.',
  };
}

const elsewhere = 'Correct the rights of its home there, or name another directory in "directory" of the provider.';

function isOlder(version: string, least: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = least.split('.').map(Number);
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}

const megabytes = (bytes: number) => `${Math.round(bytes / 1024 ** 2)} MB`;
