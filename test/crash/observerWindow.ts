// A window of its own in a process: node observerWindow.ts <state directory> <log> [<timing of the lease as JSON>]
// Contends for the lease. As long as it holds it, it acts again and again: it notes its epoch in the log that all
// windows share, and adds it to the history of one health. Prints each change of its epoch as a line of JSON.
// SIGUSR2 stops it between two turns of its event loop, wherever its acts are then; SIGTERM closes it.
import { appendFileSync, writeSync } from 'node:fs';
import * as path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HealthBook } from '../../src/core/health/healthBook.ts';
import { SwarmError } from '../../src/model/errors.ts';
import { InstanceHealth } from '../../src/model/health.ts';
import { JsonFileStore } from '../../src/storage/jsonFileStore.ts';
import { LeaderLease } from '../../src/storage/leaderLease.ts';

const [stateDirectory = '', log = '', timing] = process.argv.slice(2);
const id = 'aaaaaaaaaaaa';
const pid = process.pid;

const lease = new LeaderLease(stateDirectory, timing && JSON.parse(timing));
const book = new HealthBook(new JsonFileStore(path.join(stateDirectory, 'health'), InstanceHealth, 1), () => 1);
const say = (word: object) => writeSync(1, `${JSON.stringify(word)}\n`);

/** The health with one more sample, whose latency is the epoch. */
function observed(observerEpoch: number): InstanceHealth {
  const at = new Date().toISOString();
  const before = book.get(id);
  return {
    ...before,
    id,
    schemaVersion: 1,
    revision: before?.revision ?? 0,
    observerEpoch,
    status: 'healthy',
    since: at,
    reason: `Seen by ${pid}.`,
    checks: [],
    recovery: before?.recovery ?? { attempts: [] },
    history: [...(before?.history ?? []), { at, status: 'healthy', latencyMs: observerEpoch }],
  };
}

let closing = false;
process.once('SIGTERM', () => {
  closing = true;
  lease.dispose();
});
process.on('SIGUSR2', () => {
  say({ stopping: true });
  process.kill(pid, 'SIGSTOP');
});
lease.onDidChange(() => say({ epoch: lease.epoch ?? null }));
await book.load();
lease.start();
say({ ready: true });

while (!closing) {
  const { epoch } = lease;
  if (epoch !== undefined && lease.isHeld()) {
    appendFileSync(log, `${JSON.stringify({ pid, epoch, at: Date.now() })}\n`);
    await book.put(observed(epoch), 'now').catch(error => {
      // Others may have taken the record's lock over while this window was stopped.
      if (!(error instanceof SwarmError && error.retryable)) throw error;
    });
  }
  await delay(20);
}
await book.dispose();
