import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { providerUnreachable } from '../../model/errors.ts';
import { type OperationContext, withTimeout } from '../../model/operationContext.ts';
import type { InstanceLogs, LogOptions } from '../../model/provider.ts';
import type { FlyApi } from './flyApi.ts';
import { FlyAnswer, flyError, mayPass } from './flyErrors.ts';
import { appName } from './instanceMachine.ts';

const LogPage = z.object({
  data: z.array(z.object({ attributes: z.object({ timestamp: z.string(), message: z.string() }) })),
  meta: z.object({ next_token: z.string().nullish() }).optional(),
});
/** As many pages as are read for one answer. */
const mostPages = 20;
const followPause = 1_000;
/** Pages in a row that may fail while lines are followed. */
const mostFailures = 9;
/** How long one page may take; milliseconds. */
const patience = 30_000;

/**
 * What machines have printed. It is not part of the Machines API but what `fly logs` asks for, and may be some seconds
 * behind.
 */
export class FlyLogs {
  readonly #api: FlyApi;
  readonly #baseUrl: string;

  constructor(api: FlyApi, baseUrl: string) {
    this.#api = api;
    this.#baseUrl = baseUrl.replace(/\/$/, '');
  }

  /** The last lines, each after its time. The token is not in them: the server's launcher takes it out. */
  async read(instanceId: string, { tail = 200, since }: LogOptions, ctx: OperationContext): Promise<InstanceLogs> {
    const after = since === undefined ? undefined : Date.parse(since);
    const lines: string[] = [];
    let token: string | undefined;
    for (let page = 0; page < mostPages; page++) {
      const { rows, next } = await this.#page(instanceId, token, ctx);
      const wanted = rows.filter(({ timestamp }) => after === undefined || Date.parse(timestamp) > after);
      for (const row of wanted) lines.push(lineOf(row));
      if (rows.length === 0 || next === undefined || next === token) break;
      token = next;
    }
    return { lines: tail === 0 ? [] : lines.slice(-tail), truncated: lines.length > tail };
  }

  /** Gives each line to `sink` from now on, until `stillRuns` denies it. */
  async follow(
    instanceId: string,
    sink: (line: string) => void,
    stillRuns: () => Promise<boolean>,
    ctx: OperationContext,
  ): Promise<void> {
    let token: string | undefined;
    let failures = 0;
    for (let begun = false, runs = true; ; ) {
      const page = await this.#page(instanceId, token, ctx).catch((error: unknown) => {
        failures += 1;
        if (!mayPass(error) || failures > mostFailures) throw error;
        return undefined;
      });
      if (!page) {
        await sleep(followPause, undefined, { signal: ctx.signal });
        continue;
      }
      failures = 0;
      const { rows, next } = page;
      if (begun) for (const row of rows) sink(lineOf(row));
      const moved = next !== undefined && next !== token;
      token = next ?? token;
      if (rows.length > 0 && moved) continue;
      begun = true;
      if (!runs) return;
      runs = await stillRuns();
      await sleep(followPause, undefined, { signal: ctx.signal });
    }
  }

  async #page(instanceId: string, token: string | undefined, ctx: OperationContext) {
    const url = new URL(`${this.#baseUrl}/apps/${appName(instanceId)}/logs`);
    if (token !== undefined) url.searchParams.set('next_token', token);
    const limited = withTimeout(ctx, patience);
    try {
      const response = await this.#api.send(new Request(url, { signal: limited.signal }), ctx);
      const id = response.headers.get('fly-request-id');
      if (!response.ok) throw new FlyAnswer(response.status, '', await response.text(), id);
      const { data, meta } = LogPage.parse(await response.json());
      return { rows: data.map(({ attributes }) => attributes), next: meta?.next_token ?? undefined };
    } catch (error) {
      ctx.signal.throwIfAborted();
      if (error instanceof FlyAnswer) throw flyError(this.#api.providerId, 'Reading the logs', error);
      if (!(error instanceof TypeError || limited.signal.aborted)) throw error;
      throw providerUnreachable(this.#api.providerId, 'it gives no logs', 'Try again later.', error);
    }
  }
}

const lineOf = ({ timestamp, message }: { timestamp: string; message: string }) => `${timestamp} ${message}`;
