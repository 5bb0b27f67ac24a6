import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';

const run = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: 'utf8', stdio: 'pipe' });

/** A network of a host's own. */
export interface HostNetwork {
  readonly name: string;
  readonly link: string;
  readonly address: string;
  /** No way leads there any more, and whoever tries is told. */
  block(): void;
  unblock(): void;
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
  const block = () => void run('ip', 'route', 'add', 'unreachable', address);
  const unblock = () => void run('ip', 'route', 'flush', 'exact', address);
  // What a killed test run left.
  unblock();
  return { name, link, address, block, unblock };
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
