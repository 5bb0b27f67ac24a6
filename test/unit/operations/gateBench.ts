import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { onTestFinished } from 'vitest';
import type { AuditEvent } from '../../../src/core/auditLog.ts';
import { defaultPolicy, type Policy } from '../../../src/model/config.ts';
import { auditUnavailable, SwarmError } from '../../../src/model/errors.ts';
import { BlastRadius, DestroyBudget } from '../../../src/operations/blastRadius.ts';
import { catalog } from '../../../src/operations/catalog.ts';
import type { Confirmation, Operation, OperationCall } from '../../../src/operations/operation.ts';
import { type GateSettings, OperationGate } from '../../../src/operations/operationGate.ts';
import { inEnglish } from '../../../src/operations/translate.ts';
import { JsonFileStore } from '../../../src/storage/jsonFileStore.ts';
import { FakeSwarm } from './fakeSwarm.ts';

/** A folder of its own for one test. */
export function scratchFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'gate-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What one window has: a gate of its own over a state directory that it may share. */
export function makeBench(
  options: {
    swarm?: FakeSwarm;
    folder?: string;
    policy?: Policy;
    agentDestroyLimit?: number;
    /** Milliseconds since the machine was started. */
    uptime?: () => number;
    settings?: () => GateSettings;
    operations?: readonly Operation[];
  } = {},
) {
  const { swarm = new FakeSwarm(), folder = scratchFolder(), policy = defaultPolicy, agentDestroyLimit = 3 } = options;
  const events: AuditEvent[] = [];
  const questions: Confirmation[] = [];
  const warnings: string[] = [];
  const bench = {
    swarm,
    folder,
    events,
    questions,
    warnings,
    /** Whether the audit log can be written. */
    auditWorks: true as boolean | ((event: AuditEvent) => boolean),
    /** What the person answers. */
    agrees: async (_question: Confirmation): Promise<boolean> => true,
    phases: () => events.map(({ phase }) => phase),
    call: (change: Partial<OperationCall> = {}): OperationCall => ({
      caller: 'agent',
      actor: 'chat',
      signal: new AbortController().signal,
      report: () => {},
      confirm: question => {
        questions.push(question);
        return bench.agrees(question);
      },
      ...change,
    }),
    rawInvoke: (name: string, input: unknown, call: OperationCall) => gate.invoke(name, input, call),
    invoke: (name: string, input: unknown, change: Partial<OperationCall> = {}) =>
      // The callers of a test know what they get; the gate's output check is what makes it true.
      // biome-ignore lint/suspicious/noExplicitAny: the type differs by operation
      gate.invoke(name, input, bench.call(change)) as Promise<any>,
  };
  const audit = {
    append: async (event: AuditEvent) => {
      const works = typeof bench.auditWorks === 'boolean' ? bench.auditWorks : bench.auditWorks(event);
      if (!works) throw auditUnavailable(new Error('disk full'));
      events.push(structuredClone(event));
    },
  };
  const gate = new OperationGate(
    swarm,
    audit,
    new BlastRadius(
      new JsonFileStore(path.join(folder, 'budgets'), DestroyBudget, 1),
      options.uptime ?? (() => 1_000_000),
    ),
    options.settings ?? (() => ({ policy, agentDestroyLimit })),
    {
      translate: inEnglish,
      warn: text => warnings.push(text),
    },
    options.operations ?? catalog,
  );
  return bench;
}

/** The SwarmError that `work` rejects with. */
export async function errorOf(work: Promise<unknown>): Promise<SwarmError> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof SwarmError)) throw error;
  return error;
}
