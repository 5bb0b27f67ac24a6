import pLimit from 'p-limit';
import type { HealthConfig } from '../../model/config.ts';
import { messageOf } from '../../model/errors.ts';
import type { InstanceHealth } from '../../model/health.ts';
import type { InstanceRecord } from '../../model/instance.ts';
import { type OperationContext, withTimeout } from '../../model/operationContext.ts';
import type { InstanceStats, Provider } from '../../model/provider.ts';
import { toConfirm } from './healthChecks.ts';
import type { RoundFacts } from './roundFacts.ts';

/** How many instances are asked at once, over all providers. */
const atOnce = 32;

/** Beyond what an editor server may take: how long a place may take to make a way to it. */
const wayMilliseconds = 2_000;

/** How late a time-out may come, as a share of it. One that is later tells that this window stood still. */
const lateShare = 0.25;

/** How far the clocks may part while a server is asked: this machine slept. */
const partedMilliseconds = 1_000;

/** Finds out about instances what a list call can't tell: asks their editor servers, and their places once more. */
export class Examiner {
  readonly #limit = pLimit(atOnce);

  /** `facts` with the answers that are needed to judge. Rejects only with the signal's reason. */
  examine(
    provider: Provider,
    record: InstanceRecord,
    before: InstanceHealth | undefined,
    facts: RoundFacts,
    config: HealthConfig,
    ctx: OperationContext,
  ): Promise<RoundFacts> {
    return this.#limit(async () => {
      try {
        if (toConfirm(record, before, facts, config) === 'status') {
          const instance = await provider.getInstance(record.id, ctx);
          // Gone between the two calls: the next look says whether that is so.
          if (!instance) return { ...facts, place: { kind: 'absent', confirmed: false } };
          const { status, detail, cause, port } = instance;
          const confirmed = { ...facts, confirmed: { status, detail, cause } };
          return status === 'running' ? await probed(provider, record.id, port, confirmed, config, ctx) : confirmed;
        }
        const { place } = facts;
        if (place.kind !== 'seen' || place.observation.status !== 'running') return facts;
        const probe = provider.abilities.heard?.(place.observation);
        if (probe) return { ...facts, probe };
        return await probed(provider, record.id, place.observation.port, facts, config, ctx);
      } catch (error) {
        ctx.signal.throwIfAborted();
        return { ...facts, place: { kind: 'failed', reason: messageOf(error) } };
      }
    });
  }

  /** What the instances use, by id; empty when the place can't tell, or does not now. */
  async measure(
    { abilities }: Provider,
    instanceIds: readonly string[],
    ctx: OperationContext,
  ): Promise<ReadonlyMap<string, InstanceStats>> {
    try {
      const rows = (await abilities.stats?.(instanceIds, ctx)) ?? [];
      return new Map(rows.map(row => [row.id, row]));
    } catch {
      ctx.signal.throwIfAborted();
      return new Map(); // That a place does not answer is for its list call to tell.
    }
  }
}

async function probed(
  provider: Provider,
  instanceId: string,
  port: number | undefined,
  facts: RoundFacts,
  config: HealthConfig,
  ctx: OperationContext,
): Promise<RoundFacts> {
  const limit = config.checkTimeout * 1000 + (port === undefined ? wayMilliseconds : 0);
  const began = { wall: Date.now(), mono: performance.now() };
  const probe = await provider.abilities.probe(instanceId, port, withTimeout(ctx, limit));
  const spent = performance.now() - began.mono;
  const parted = Math.abs(Date.now() - began.wall - spent);
  // Silence that this machine's own sleep or stall may have made is none (semantics 9).
  const isOurs = spent > limit * (1 + lateShare) || parted > partedMilliseconds;
  return !probe.answered && isOurs ? facts : { ...facts, probe };
}
