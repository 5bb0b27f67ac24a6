import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from './engine.ts';

/** An sshd of the tests beside an engine, in its network namespace, and a client's files for it. */
export interface SshServer {
  /** `ssh://` endpoint of the engine. */
  readonly endpoint: string;
  /** A folder to be put first on the PATH: the `ssh` in it knows the host and has the right key. */
  readonly path: string;
  /** As {@link path}, but the host's key is not known. */
  readonly strangerPath: string;
  /** As {@link path}, with a key that the host does not let in. */
  readonly keylessPath: string;
  stop(): Promise<void>;
}

/** `hosts`: what sshd's configuration says of further ports, one host each as a client sees it. */
export async function startSshServer(
  engine: Engine,
  hosts: Readonly<Record<number, readonly string[]>> = {},
): Promise<SshServer> {
  const root = path.join(engine.root, 'ssh');
  const at = (name: string) => path.join(root, name);
  const port = 22_022;
  mkdirSync(root, { mode: 0o700 });
  // The place that sshd gives up its rights in.
  mkdirSync('/run/sshd', { recursive: true });
  for (const key of ['host', 'client', 'other']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(key)]);
  }
  writeFileSync(at('authorized'), readFileSync(at('client.pub')));
  const ports = [port, ...Object.keys(hosts)];
  const key = readFileSync(at('host.pub'), 'utf8');
  writeFileSync(at('known'), ports.map(each => `[${engine.address}]:${each} ${key}`).join(''));
  writeFileSync(at('unknown'), '');
  writeFileSync(
    at('sshd_config'),
    [
      ...ports.map(each => `Port ${each}`),
      ...[`ListenAddress ${engine.address}`, `HostKey ${at('host')}`, `PidFile ${at('pid')}`],
      ...[`AuthorizedKeysFile ${at('authorized')}`, 'UsePAM no', 'StrictModes no', 'PasswordAuthentication no'],
      'PermitRootLogin prohibit-password',
      ...Object.entries(hosts).flatMap(([each, lines]) => [`Match LocalPort ${each}`, ...lines]),
    ].join('\n'),
  );
  const client = (name: string, key: string, known: string) => {
    writeFileSync(
      at(`${name}.config`),
      [
        ...['Host *', `IdentityFile ${at(key)}`, 'IdentitiesOnly yes', `UserKnownHostsFile ${at(known)}`],
        ...['GlobalKnownHostsFile /dev/null', 'StrictHostKeyChecking yes'],
      ].join('\n'),
    );
    const folder = at(`${name}-bin`);
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F ${at(`${name}.config`)} "$@"\n`);
    chmodSync(path.join(folder, 'ssh'), 0o755);
    return folder;
  };
  const [file = '', ...args] = [...engine.enter, '/usr/sbin/sshd', '-D', '-f', at('sshd_config'), '-E', at('log')];
  const child = spawn(file, args, { stdio: 'ignore' });
  const ended = new Promise(resolve => child.on('close', resolve));
  for (let tries = 0; !existsSync(at('pid')); tries++) {
    if (tries > 100)
      throw new Error(`sshd did not start: ${existsSync(at('log')) ? readFileSync(at('log'), 'utf8') : ''}`);
    await sleep(50);
  }
  return {
    endpoint: `ssh://root@${engine.address}:${port}${engine.socket}`,
    path: client('known', 'client', 'known'),
    strangerPath: client('stranger', 'client', 'unknown'),
    keylessPath: client('keyless', 'other', 'known'),
    stop: async () => {
      child.kill();
      await ended;
    },
  };
}
