import { execFile } from 'node:child_process';
import { hash } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import * as os from 'node:os';
import { promisify } from 'node:util';
import type { MachineIdentity } from '../model/machineIdentity.ts';

/** What a system says of itself, each as it was read or printed; empty where there is no such thing. */
export interface MachineFacts {
  /** Linux: `/etc/machine-id`. macOS: what `ioreg` prints. Windows: what `reg query` prints. */
  readonly installation: string;
  /** Linux: `/proc/sys/kernel/random/boot_id`. macOS: `sysctl -n kern.bootsessionuuid`. */
  readonly boot: string;
  /** Linux: where `/proc/self/ns/pid` points. */
  readonly pidNamespace: string;
  readonly hostName: string;
}

/** The id in what a system says; of a Windows or macOS tool, the one value that is asked for. */
const idIn: Partial<Record<NodeJS.Platform, RegExp>> = {
  darwin: /"IOPlatformUUID"\s*=\s*"([^"]+)"/,
  win32: /MachineGuid\s+REG_SZ\s+(\S+)/i,
  linux: /^\s*([0-9a-f]{32})\s*$/i,
};

/** Which machine it is that says so of itself. A pure rule: the same facts are the same machine. */
export function machineOf(
  platform: NodeJS.Platform,
  { installation, boot, pidNamespace, hostName }: MachineFacts,
): MachineIdentity {
  const id = idIn[platform]?.exec(installation)?.[1] ?? '';
  return {
    id: id && digest(`${platform} ${id.toLowerCase()}`),
    boot: boot.trim() && digest(boot.trim().toLowerCase()),
    pids: /^pid:\[(\d+)\]$/.exec(pidNamespace.trim())?.[1] ?? '',
    host:
      hostName
        .trim()
        .replace(/[^\w.-]/g, '-')
        .slice(0, 253) || 'unknown',
  };
}

/** As short as a part of a file's name; what it is made of can't be told from it. */
const digest = (text: string) => hash('sha256', `remote-swarm ${text}`, 'hex').slice(0, 12);

const file = (name: string) => readFile(name, 'utf8').catch(() => '');

const printed = (program: string, args: readonly string[]) =>
  promisify(execFile)(program, args, { timeout: 5_000, windowsHide: true }).then(
    ({ stdout }) => stdout,
    () => '',
  );

const installationOf: Partial<Record<NodeJS.Platform, () => Promise<string>>> = {
  linux: async () => (await file('/etc/machine-id')) || file('/var/lib/dbus/machine-id'),
  darwin: () => printed('/usr/sbin/ioreg', ['-rd1', '-c', 'IOPlatformExpertDevice']),
  win32: () =>
    printed(`${process.env.SystemRoot ?? 'C:\\Windows'}\\System32\\reg.exe`, [
      ...['query', 'HKLM\\SOFTWARE\\Microsoft\\Cryptography', '/v', 'MachineGuid'],
    ]),
};

const bootOf: Partial<Record<NodeJS.Platform, () => Promise<string>>> = {
  linux: () => file('/proc/sys/kernel/random/boot_id'),
  darwin: () => printed('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid']),
};

/** The machine that this process runs on. Never rejects: what can't be read is not known. */
export async function readMachine(platform = process.platform): Promise<MachineIdentity> {
  const [installation = '', boot = '', pidNamespace] = await Promise.all([
    installationOf[platform]?.(),
    bootOf[platform]?.(),
    readlink('/proc/self/ns/pid').catch(() => ''),
  ]);
  return machineOf(platform, { installation, boot, pidNamespace, hostName: os.hostname() });
}
