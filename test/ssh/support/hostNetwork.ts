import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';

const run = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: 'utf8', stdio: 'pipe' });

/** Where a host is reached; with root's rights on a network of its own. */
export interface HostNetwork {
  readonly address: string;
  readonly port: number;
  /** What starts a program in it. */
  readonly enter: readonly string[];
  /** Undefined on loopback, which is not ours to take away. */
  readonly link?: {
    /** No packet comes or goes, and nobody is told. */
    cut(): void;
    mend(): void;
    /** No way leads there any more, and whoever tries is told. */
    block(): void;
    unblock(): void;
  };
}

/** Loopback, at an address that no other host has: what there is without root's rights. */
export function loopbackNetwork(key: string): HostNetwork {
  const [second = 0, third = 0, fourth = 0] = createHash('sha256').update(key).digest();
  return { address: ['127', 1 + (second % 254), third, 1 + (fourth % 254)].join('.'), port: 22_022, enter: [] };
}

const networkNames = (key: string) => ({ name: `rh-${key}`.slice(0, 15), link: `${`rh-${key}`.slice(0, 13)}h` });

/** A network namespace that this one reaches at 172.29.n.2. */
export function makeNetwork(key: string): HostNetwork {
  const { name, link } = networkNames(key);
  const subnet = freeSubnet(key);
  const address = `172.29.${subnet}.2`;
  run('ip', 'netns', 'add', name);
  run('ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'outside', 'netns', name);
  run('ip', 'addr', 'add', `172.29.${subnet}.1/24`, 'dev', link);
  run('ip', 'link', 'set', link, 'up');
  run('ip', '-n', name, 'addr', 'add', `${address}/24`, 'dev', 'outside');
  for (const own of ['lo', 'outside']) run('ip', '-n', name, 'link', 'set', own, 'up');
  const unblock = () => void run('ip', 'route', 'flush', 'exact', address);
  // What a killed test run left.
  unblock();
  return {
    ...{ address, port: 22, enter: ['nsenter', `--net=/run/netns/${name}`] },
    link: {
      cut: () => void run('ip', 'link', 'set', link, 'down'),
      mend: () => void run('ip', 'link', 'set', link, 'up'),
      block: () => void run('ip', 'route', 'add', 'unreachable', address),
      unblock,
    },
  };
}

/** A number whose range 172.29.n nobody on this machine uses. Those who look at the same moment begin at different ones. */
function freeSubnet(key: string): number {
  const used = run('ip', '-4', '-o', 'addr');
  const first = createHash('sha256').update(key).digest().readUInt8();
  for (let tries = 0; tries < 256; tries++) {
    const number = (first + tries) % 256;
    if (!used.includes(`172.29.${number}.`)) return number;
  }
  throw new Error('no free subnet');
}

export function removeNetwork(key: string): void {
  const { name, link } = networkNames(key);
  for (const args of [
    ['link', 'del', link],
    ['netns', 'del', name],
  ]) {
    try {
      run('ip', ...args);
    } catch {
      // It is gone already.
    }
  }
}
