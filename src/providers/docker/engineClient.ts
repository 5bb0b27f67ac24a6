import { addAbortSignal, type Readable } from 'node:stream';
import type Dockerode from 'dockerode';
import { providerRefused } from '../../model/errors.ts';
import { longestJson } from '../../model/linesOf.ts';
import type { OperationContext } from '../../model/operationContext.ts';

/** An answer as Node gives it. */
type Answer = Readable & { readonly statusCode?: number };
type Dial = Dockerode['modem']['dial'];
type StatusCodes = NonNullable<Parameters<Dial>[0]['statusCodes']>;

/** One call that dockerode has no method for, or not the right one. */
export function dial<T>({ modem }: Dockerode, options: Parameters<Dial>[0]): Promise<T> {
  return new Promise((resolve, reject) => {
    modem.dial(options, (error, answer) => (error ? reject(error) : resolve(answer as T)));
  });
}

/** Tells dockerode to leave every answer to us. */
const anyStatus = new Proxy<StatusCodes>({}, { get: () => true });

/**
 * The client as one call sees it: each change is sent only while the lock, where there is one, is held at that moment
 * (semantics 44), and of an answer that is no stream no more is taken than any of an engine has (semantics 46).
 */
export function engineClient(docker: Dockerode, providerId: string, { lock }: OperationContext): Dockerode {
  const { modem } = docker;
  const dial: Dial = (options, callback) => {
    if (options.method !== 'GET' && options.method !== 'HEAD') lock?.assertHeld();
    if (options.path === '/containers/create?') options = { ...options, options: inBody(options.options ?? {}) };
    if (options.isStream || options.hijack || options.openStdin) return modem.dial(options, callback);
    const { abortSignal, statusCodes } = options;
    return modem.dial({ ...options, isStream: true, statusCodes: anyStatus }, (error, answer) => {
      if (error) return callback?.(error, null);
      const source = answer as Answer;
      if (abortSignal) addAbortSignal(abortSignal, source);
      bytesOf(source, providerId)
        .then(bytes => told(bytes, source.statusCode ?? 0, statusCodes ?? {}))
        .then(
          result => callback?.(null, result),
          (failure: Error) => callback?.(failure, null),
        );
    });
  };
  return Object.assign(Object.create(docker), { modem: Object.assign(Object.create(modem), { dial }) });
}

/** dockerode writes all of it into the address, too, which the proxies before some engines refuse: they take 8 kB. */
const inBody = ({ name, abortSignal: _, ...body }: NonNullable<Parameters<Dial>[0]['options']>) => ({
  ...{ _query: { name }, _body: body },
});

async function bytesOf(answer: Answer, providerId: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    size += (chunk as Buffer).length;
    if (size > longestJson)
      throw providerRefused(
        'engine-answer-too-large',
        `The Docker engine "${providerId}" answers with more than ${longestJson / 1024 ** 2} MB.`,
        'Look whether what answers at its address is a Docker engine, and what fills its lists.',
      );
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** As dockerode does it: JSON where it is that, else its bytes; rejects for a status of which none says that it was done. */
function told(bytes: Buffer, status: number, statusCodes: StatusCodes): object {
  const answer = parsed(bytes) || bytes;
  // Which of the good ones is answered is not the same on each engine.
  if (statusCodes[status] === true || (status >= 200 && status < 300)) return answer;
  const { message, error } = answer as { message?: unknown; error?: unknown };
  const reason = statusCodes[status];
  const text = `(HTTP code ${status}) ${reason || 'unexpected'} - ${message || error || answer} `;
  throw Object.assign(new Error(text), { reason, statusCode: status, json: answer });
}

function parsed(bytes: Buffer): object | undefined {
  try {
    return JSON.parse(bytes.toString()) as object;
  } catch {
    return undefined;
  }
}
