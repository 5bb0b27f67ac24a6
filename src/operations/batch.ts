import pLimit from 'p-limit';
import * as z from 'zod';
import { instanceNotFound, isAbort, messageOf, SwarmError } from '../model/errors.ts';
import { InstanceId, type InstanceRecord, InstanceStatus } from '../model/instance.ts';
import type { RunContext } from './operation.ts';
import type { Target } from './targets.ts';

/** How many instances of one batch are worked on at a time. */
const concurrency = 4;

/** The ids of a batch. An id given twice counts once. */
export const InstanceIds = z
  .array(InstanceId)
  .min(1, 'must name at least one instance')
  .max(100, 'must name at most 100 instances')
  .describe('Ids of the instances, 1 to 100, as list_swarm_instances shows them.');

/** What became of one instance of a batch. */
export const BatchOutcome = z.strictObject({
  instanceId: z.string(),
  name: z.string().optional(),
  outcome: z.enum(['done', 'failed']),
  status: InstanceStatus.optional(),
  /** Until when a deleted instance can be brought back. */
  restorableUntil: z.iso.datetime().optional(),
  error: z.strictObject({ code: z.string(), message: z.string(), hint: z.string().optional() }).optional(),
});
export type BatchOutcome = z.infer<typeof BatchOutcome>;

export const BatchResult = z.strictObject({ results: z.array(BatchOutcome) });
export type BatchResult = z.infer<typeof BatchResult>;

/** What the audit log keeps of a batch. */
export const batchOutcomes = ({ results }: BatchResult): Record<string, string> =>
  Object.fromEntries(results.map(({ instanceId, error }) => [instanceId, error?.code ?? 'done']));

/**
 * Does `work` for each id, each once, a few at a time; one failure stops no other. What the gate refused, or nobody
 * knew when the question was put, is not worked on. Rejects only when the caller gave up: then nothing more is begun, and what was begun has ended.
 */
export async function runBatch(
  ids: readonly string[],
  ctx: RunContext,
  work: (id: string, target: Target) => Promise<InstanceRecord | undefined>,
): Promise<BatchResult> {
  const limit = pLimit(concurrency);
  const one = async (instanceId: string): Promise<BatchOutcome> => {
    const target = ctx.targets.find(({ id }) => id === instanceId);
    const about = { instanceId, ...(target && { name: target.name }) };
    try {
      if (!target) throw ctx.refused.get(instanceId) ?? instanceNotFound(instanceId);
      ctx.signal.throwIfAborted();
      const record = await work(instanceId, target);
      return { ...about, outcome: 'done', ...(record && { name: record.config.name, status: record.status }) };
    } catch (error) {
      if (ctx.signal.aborted || isAbort(error)) throw error;
      return { ...about, outcome: 'failed', error: shortError(error) };
    }
  };
  const settled = await Promise.allSettled([...new Set(ids)].map(id => limit(one, id)));
  const results = settled.map(outcome => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
  return { results };
}

function shortError(error: unknown): NonNullable<BatchOutcome['error']> {
  if (!(error instanceof SwarmError)) return { code: 'unexpected-failure', message: messageOf(error) };
  const { code, message, hint } = error;
  return { code, message, ...(hint !== undefined && { hint }) };
}
