// What the suites need of a machine, and how it is got.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findCommand } from '../src/providers/findCommand.ts';

/** Debian's packages, by a command that they bring. */
const packages = {
  'bsd-csh': 'csh',
  chromium: 'chromium',
  dockerd: 'docker.io',
  fish: 'fish',
  ip: 'iproute2',
  iptables: 'iptables',
  podman: 'podman netavark aardvark-dns catatonit',
  rootlesskit: 'rootlesskit slirp4netns uidmap',
  sshd: 'openssh-server',
  tcsh: 'tcsh',
  tmux: 'tmux',
  zsh: 'zsh',
};

/** Runs a program with its output shown, or until `signal`; resolves with its exit code. */
export function show(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  signal?: AbortSignal,
): Promise<number> {
  const child = spawn(file, args, { stdio: 'inherit', env });
  signal?.addEventListener('abort', () => child.kill(), { once: true });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', code => resolve(code ?? 1));
  });
}

/** Commands of {@link packages} that are not here; system ones may lie outside the PATH of a plain user. */
async function missing(): Promise<string[]> {
  const found = await Promise.all(
    Object.keys(packages).map(async command => existsSync(`/usr/sbin/${command}`) || (await findCommand(command))),
  );
  return Object.keys(packages).filter((_, index) => !found[index]);
}

/**
 * Installs what is missing with apt, where that may be done: as root, on Debian. Answers with the commands that are
 * still missing; what needs them is skipped by name.
 */
export async function provideCommands(): Promise<string[]> {
  const wanted = await missing();
  if (wanted.length === 0) return wanted;
  const names = wanted.flatMap(command => packages[command as keyof typeof packages].split(' '));
  return (await installed(...names)) ? missing() : wanted;
}

/** Installs packages of Debian with apt, where that may be done; whether it was. */
export async function installed(...names: readonly string[]): Promise<boolean> {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return false;
  console.log(`Installing ${names.join(', ')} with apt-get, since the suites drive the real thing…`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await show('apt-get', ['update', '-qq'], env);
  return (await show('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], env)) === 0;
}

/** The desktop VS Code that `npm run test:desktop` would drive needs a download; it is never part of `npm test`. */
export const desktopSkipped = 'desktop VS Code: it must be downloaded; run it with `npm run test:desktop`';
