import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { providerRefused } from '../../model/errors.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import { CappedOutput } from '../commandStreams.ts';
import type { SshTarget } from '../sshArguments.ts';
import { wordsOf } from '../sshProblem.ts';
import { forAnyShell } from './forAnyShell.ts';
import { endChild, type SshConnection } from './sshConnection.ts';

/** What is said through a terminal. */
const saidThere = 'remote swarm has a terminal';
/** A port on which hardly anything listens: that it refuses is an answer too. */
const somePort = 1;

/**
 * Tries what the ssh server of a host must allow beside commands: that pages and ports of instances are reached, and
 * that they have terminals. Rejects with the option that forbids it.
 */
export async function tryDoors(connection: SshConnection, ctx: OperationContext): Promise<void> {
  await Promise.all([tryForward(connection, ctx), tryTerminal(connection, ctx)]);
}

async function tryForward(connection: SshConnection, ctx: OperationContext): Promise<void> {
  const { said, code } = await heard(connection.startForward(somePort), ctx);
  const refusal = forwardRefusal(said);
  if (refusal === undefined) {
    if (code === 0 || said.includes('open failed:')) return;
    throw connection.problem(said.trim() || 'the connection was lost');
  }
  throw noForward(connection.target, refusal);
}

/** `refusal` are the words of the ssh server. */
export const noForward = ({ host }: SshTarget, refusal: string) =>
  providerRefused(
    'ssh-no-forward',
    `The ssh server of ${host} forwards no ports, so no page of an instance can be opened (${refusal}).`,
    'Whoever runs the host can allow it in sshd_config: "AllowTcpForwarding yes" (or "local"), no "DisableForwarding yes", no "PermitOpen" that leaves out 127.0.0.1; and no "restrict" or "no-port-forwarding" before the key in authorized_keys.',
  );

/** Pure: the words by which an ssh server refuses to forward a port, whatever is at that port; undefined when it does not. */
export function forwardRefusal(said: string): string | undefined {
  const reason = /open failed: ([^\r\n]*)/.exec(said)?.[1];
  return reason === undefined || reason.startsWith('connect failed') ? undefined : wordsOf(reason);
}

async function tryTerminal(connection: SshConnection, ctx: OperationContext): Promise<void> {
  const { host } = connection.target;
  const child = await connection.start(forAnyShell(`if [ -t 0 ] && [ -t 1 ]; then echo "${saidThere}"; fi`), ['-tt']);
  const { out, said } = await heard(child, ctx);
  if (out.includes(saidThere)) return;
  throw providerRefused(
    'ssh-no-terminal',
    `The ssh server of ${host} gives no terminal, so none can be opened in an instance (${wordsOf(said || out) || 'nothing was said'}).`,
    'Whoever runs the host can allow it in sshd_config: "PermitTTY yes"; and no "restrict" or "no-pty" before the key in authorized_keys.',
  );
}

/** What an `ssh` has printed and said, once it has ended. */
async function heard(
  child: ChildProcessWithoutNullStreams,
  { signal }: OperationContext,
): Promise<{ out: string; said: string; code: number | null }> {
  const abort = () => endChild(child);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  const closed = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  try {
    child.stdin.end();
    const streams = [child.stdout, child.stderr].map(stream => CappedOutput.textOf(stream));
    const [[out = '', said = ''], code] = await Promise.all([Promise.all(streams), closed]);
    return { out, said, code };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
