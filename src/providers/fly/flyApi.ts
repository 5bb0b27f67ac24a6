import { setTimeout as sleep } from 'node:timers/promises';
import createClient, { type Client } from 'openapi-fetch';
import { messageOf, providerUnreachable } from '../../model/errors.ts';
import { longestJson } from '../../model/linesOf.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { components, paths } from './api/machinesApi.d.ts';
import { answerTooLarge, FlyAnswer, flyError, tokenMissing, tokenUnusable } from './flyErrors.ts';
import { RateLimiter } from './rateLimiter.ts';

export type Schemas = components['schemas'];
type Outcome<T> = { data?: T; error?: Schemas['ErrorResponse'] | undefined; response: Response };

/** What Fly's documentation allows: per action and per machine or app. */
const readRate = { perSecond: 5, burst: 10 };
const changeRate = { perSecond: 1, burst: 3 };
const tries = 4;
/** Of a question that ended in an error of the server, or without an answer: as many as its own client has. */
const readTries = 4;
/** Longer than the longest wait that Fly holds open. */
const patience = 75_000;

/** How a token is sent: as it was pasted when that has a scheme, else with the one that tokens of its kind have. */
export function authorizationOf(token: string): string {
  const text = token.trim();
  const pasted = /^(Bearer|FlyV1)\s+(.+)$/is.exec(text);
  if (pasted) return `${pasted[1]?.toLowerCase() === 'bearer' ? 'Bearer' : 'FlyV1'} ${pasted[2]}`;
  return `${/^fm[12][ar]?_/.test(text) ? 'FlyV1' : 'Bearer'} ${text}`;
}

/** Seconds or a date, as the header has it; milliseconds. */
function pauseOf(response: Response): number | undefined {
  const text = response.headers.get('retry-after');
  if (text === null) return undefined;
  const seconds = Number(text);
  const pause = Number.isNaN(seconds) ? Date.parse(text) - Date.now() : seconds * 1_000;
  return Number.isNaN(pause) ? undefined : Math.max(0, Math.min(pause, 60_000));
}

/**
 * The Machines API. Calls keep to Fly's rates and to what it says of when to ask again. What was refused for its rate is
 * asked again, and so is a question without an answer or with an error of the server. A change is not: it may have
 * been made.
 */
export class FlyApi {
  readonly providerId: string;
  readonly #baseUrl: string;
  readonly #readToken: () => Promise<string | undefined>;
  readonly #limiter = new RateLimiter();

  constructor(providerId: string, baseUrl: string, readToken: () => Promise<string | undefined>) {
    this.providerId = providerId;
    this.#readToken = readToken;
    this.#baseUrl = baseUrl;
  }

  /** What was asked for. Rejects with a `SwarmError`, and with the signal's reason. */
  async call<T>(
    doing: string,
    ctx: OperationContext,
    ask: (client: Client<paths>, signal: AbortSignal) => Promise<Outcome<T>>,
  ): Promise<T> {
    ctx.signal.throwIfAborted();
    try {
      const client = createClient<paths>({ baseUrl: this.#baseUrl, fetch: request => this.send(request, ctx) });
      const { data, error, response } = await ask(client, AbortSignal.any([ctx.signal, AbortSignal.timeout(patience)]));
      if (response.ok) return data as T;
      const said = error?.error ?? (response.statusText || 'it does not say why');
      const id = response.headers.get('fly-request-id');
      throw flyError(this.providerId, doing, new FlyAnswer(response.status, error?.status ?? '', said, id));
    } catch (error) {
      ctx.signal.throwIfAborted();
      if (!(error instanceof TypeError || error instanceof SyntaxError || isTimeout(error))) throw error;
      const why = messageOf(error.cause ?? error);
      throw providerUnreachable(this.providerId, why, 'Check the network, and status.flyio.net.', error);
    }
  }

  /** One request with the token, in its turn; a change only while the lock, where there is one, is held by then. */
  async send(request: Request, { lock }: OperationContext): Promise<Response> {
    const token = await this.#readToken();
    if (!token?.trim()) throw tokenMissing(this.providerId);
    if (!/^[\x20-\x7e]+$/.test(token.trim())) throw tokenUnusable(this.providerId);
    request.headers.set('authorization', authorizationOf(token));
    const isRead = request.method === 'GET';
    const key = `${request.method} ${new URL(request.url).pathname}`;
    for (let attempt = 1; ; attempt++) {
      await this.#limiter.turn(key, isRead ? readRate : changeRate, request.signal);
      const mayAsk = isRead && attempt < readTries;
      if (!isRead) lock?.assertHeld();
      const response = await fetch(request.clone()).catch((error: unknown) => {
        // A connection that was kept may have been closed there meanwhile.
        if (mayAsk && error instanceof TypeError) return undefined;
        throw error;
      });
      const again = response?.status === 429 ? attempt < tries : mayAsk && !(response && response.status < 500);
      if (response && !again) return bounded(response, this.providerId);
      await response?.body?.cancel();
      const pause = (response && pauseOf(response)) ?? (response?.status === 429 ? 250 : 100) * 2 ** attempt;
      await sleep(pause, undefined, { signal: request.signal });
    }
  }
}

/** The same answer, of which no more can be read than any of Fly's has. */
function bounded(response: Response, providerId: string): Response {
  if (!response.body) return response;
  let size = 0;
  const limit = new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, controller) => {
      size += chunk.length;
      if (size > longestJson) controller.error(answerTooLarge(providerId, longestJson));
      else controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(limit), response);
}

const isTimeout = (error: unknown): error is Error => error instanceof Error && error.name === 'TimeoutError';
