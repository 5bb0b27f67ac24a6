import * as http from 'node:http';
import * as https from 'node:https';
import type { Duplex } from 'node:stream';
import { providerUnreachable } from '../../model/errors.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { Probe } from '../../model/provider.ts';
import { probeWith } from '../editorServer.ts';
import { appName } from './instanceMachine.ts';

const opening = 15_000;

/**
 * The way into machines: each app's own TLS address, behind which `media/instance/gate.mjs` lets in who has the
 * instance's token.
 *
 * What an instance says and is told goes this way, and not by the exec call of the Machines API: that one answers once,
 * when the command has ended, within a minute, with text and no bytes, can't be cancelled, and takes its input as one
 * string. Homes are bytes, take longer, and are worth a stream with its own back-pressure.
 */
export class Gate {
  readonly #providerId: string;
  readonly #edge: URL | undefined;

  /** `edgeUrl` leads to every app; without it each is at its own address. */
  constructor(providerId: string, edgeUrl: string | undefined) {
    this.#providerId = providerId;
    this.#edge = edgeUrl === undefined ? undefined : new URL(edgeUrl);
  }

  /** Asks the editor server, through the gate, for its version. */
  probe(instanceId: string, ctx: OperationContext): Promise<Probe> {
    return probeWith(() => this.#request(instanceId, '/version', {}, ctx.signal), ctx);
  }

  /** A stream to what `way` names at the gate. Rejects with `provider-unreachable` when it isn't opened. */
  open(instanceId: string, way: string, token: string, ctx: OperationContext): Promise<Duplex> {
    const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(opening)]);
    const headers = { authorization: `Bearer ${token}`, connection: 'Upgrade', upgrade: 'remote-swarm' };
    return new Promise((resolve, reject) => {
      const request = this.#request(instanceId, `/remote-swarm/${way}`, headers, signal);
      const fail = (why: string, cause?: unknown) =>
        reject(
          ctx.signal.aborted
            ? ctx.signal.reason
            : providerUnreachable(
                this.#providerId,
                `the gate of the instance "${instanceId}" ${why}`,
                'It may be starting or ending. Look at the instance, and try again.',
                cause,
              ),
        );
      request.on('upgrade', (_, socket, head) => {
        socket.on('error', () => socket.destroy());
        // The request leaves its own listeners on it.
        socket.setMaxListeners(20);
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      request.on('response', response => {
        response.destroy();
        fail(`answered ${response.statusCode}`);
      });
      request.on('error', error => fail('does not answer', error));
    });
  }

  #request(instanceId: string, path: string, headers: http.OutgoingHttpHeaders, signal: AbortSignal) {
    const name = `${appName(instanceId)}.fly.dev`;
    const { protocol, hostname, port } = this.#edge ?? new URL(`https://${name}`);
    const options = { host: hostname, port, path, agent: false, signal, headers: { ...headers, host: name } };
    if (protocol === 'http:') return http.request(options).end();
    return https.request({ ...options, servername: name }).end();
  }
}
