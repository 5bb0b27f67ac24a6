import { randomBytes } from 'node:crypto';
import { existsSync, statfsSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Schemas } from '../../../src/providers/fly/flyApi.ts';
import { CloudFaults } from './cloudFaults.ts';
import { type CloudApp, type CloudMachine, type CloudVolume, Refusal } from './cloudParts.ts';
import type { FlyCloud } from './flyCloud.ts';

interface Call {
  readonly cloud: FlyCloud;
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly nonce: string | undefined;
}
type Handler = (call: Call) => Promise<readonly [status: number, body?: unknown]>;

function usageOf(folder: string) {
  if (!existsSync(folder)) return {};
  const { blocks, bfree, bsize } = statfsSync(folder);
  return { bytes_used: (blocks - bfree) * bsize, bytes_total: blocks * bsize };
}
const wholeApp = ({ name, organization, machines, volumes }: CloudApp) => ({
  ...{ id: name, name, status: 'deployed', machine_count: machines.size, volume_count: volumes.size },
  organization: { name: organization, slug: organization },
});
const hostStatus = (isAway: boolean) => ({ host_status: isAway ? 'unreachable' : 'ok' });
const wholeVolume = (cloud: FlyCloud, volume: CloudVolume) => {
  const { id, name, region, sizeGb, state, createdAt, machine, folder } = volume;
  return {
    ...{ id, name, region, size_gb: sizeGb, state, created_at: createdAt, encrypted: true },
    ...hostStatus(cloud.away.has(id)),
    ...usageOf(folder),
    ...(machine !== undefined && { attached_machine_id: machine }),
  };
};
/** Of a machine whose host does not answer only a part of the config is told, and that in another field. */
const wholeMachine = (cloud: FlyCloud, machine: CloudMachine) => {
  const { id, name, region, state, version, config, createdAt, updatedAt, events, digest } = machine;
  const row = {
    ...{ id, name, region, state, instance_id: version, created_at: createdAt, updated_at: updatedAt },
    ...hostStatus(cloud.isAway(machine)),
    ...(digest !== undefined && { image_ref: { digest } }),
  };
  if (cloud.isAway(machine)) return { ...row, incomplete_config: { guest: config.guest, image: config.image } };
  // Replies tell the older way whether it is stopped by itself.
  const services = config.services?.map(service => ({
    ...service,
    autostop: !['off', false, undefined].includes(service.autostop),
  }));
  return { ...row, ...(cloud.tellsEvents && { events }), config: { ...config, ...(services && { services }) } };
};

const isWithin = (lag: number, madeAt: number) => performance.now() - madeAt < lag;
/** The one organization that the tests' tokens are for; others' apps may not be seen. */
const ownOrganization = 'personal';
const appOf = ({ cloud, parts }: Call) => {
  const app = cloud.app(parts[1] ?? '');
  if (app.organization !== ownOrganization) throw new Refusal(403, 'forbidden');
  if (isWithin(cloud.appLag, app.madeAt)) throw new Refusal(cloud.appLagStatus, `Could not find App "${app.name}"`);
  return app;
};
const machineOf = (call: Call) => {
  const machine = call.cloud.machine(appOf(call), call.parts[3] ?? '');
  if (isWithin(call.cloud.machineLag, machine.madeAt)) throw new Refusal(404, `machine ${machine.id} not found`);
  return machine;
};

/** Throws unless nobody else has a lease. */
function held(call: Call): CloudMachine {
  const machine = machineOf(call);
  if (machine.state === 'destroyed') throw new Refusal(404, `machine ${machine.id} not found`);
  if (call.cloud.isAway(machine)) throw new Refusal(503, `the host of the machine ${machine.id} is unreachable`);
  if (machine.lease && machine.lease.until > Date.now() && machine.lease.nonce !== call.nonce)
    throw new Refusal(409, `aborted: lease is currently held by another user, expires in a while`);
  return machine;
}

/** By method and path, in which `*` stands for one part. */
const handlers: Readonly<Record<string, Handler>> = {
  'GET /tokens/current': async () => [200, { tokens: [{ org_slug: 'personal', user: 'tester' }] }],
  'GET /platform/regions': async ({ cloud }) => [
    200,
    {
      nearest: cloud.regions[0],
      regions: cloud.regions.map(code => ({ code, name: code, latitude: 1, longitude: 1 })),
    },
  ],
  'POST /apps': async ({ cloud, body }) => {
    const { name = '', org_slug: org = '', network = 'default' } = body as Schemas['CreateAppRequest'];
    cloud.makeApp(name, org, network);
    return [201, { id: name, created_at: Date.now() }];
  },
  'GET /apps/*': async call => [200, wholeApp(appOf(call))],
  'DELETE /apps/*': async call => {
    await call.cloud.removeApp(appOf(call));
    return [202];
  },
  'GET /apps/*/ip_assignments': async call => [200, { ips: appOf(call).ips.map(ip => ({ ip, shared: true })) }],
  'POST /apps/*/ip_assignments': async call => {
    appOf(call).ips.push('66.241.124.1');
    return [200, { ip: '66.241.124.1', shared: true }];
  },
  'POST /apps/*/secrets': async call => {
    const app = appOf(call);
    const { values = {} } = call.body as Schemas['AppSecretsUpdateRequest'];
    for (const [name, value] of Object.entries(values)) app.secrets.set(name, value);
    app.secretsVersion += 1;
    return [200, { version: app.secretsVersion, secrets: [...app.secrets.keys()].map(name => ({ name })) }];
  },
  'GET /apps/*/secrets/*': async call => {
    const name = call.parts[3] ?? '';
    const value = appOf(call).secrets.get(name);
    if (value === undefined) throw new Refusal(404, `secret ${name} not found`);
    return [200, { name, digest: 'digest', ...(call.query.get('show_secrets') === 'true' && { value }) }];
  },
  'GET /apps/*/volumes': async call => [
    200,
    [...appOf(call).volumes.values()].map(each => wholeVolume(call.cloud, each)),
  ],
  'POST /apps/*/volumes': async call => [
    200,
    wholeVolume(call.cloud, call.cloud.makeVolume(appOf(call), call.body as Schemas['CreateVolumeRequest'])),
  ],
  'DELETE /apps/*/volumes/*': async call => {
    const volume = call.cloud.volume(appOf(call), call.parts[3] ?? '');
    call.cloud.removeVolume(volume);
    return [200, wholeVolume(call.cloud, volume)];
  },
  'GET /apps/*/machines': async call => [
    200,
    [...appOf(call).machines.values()].filter(call.cloud.isListed).map(each => wholeMachine(call.cloud, each)),
  ],
  'POST /apps/*/machines': async call => [
    200,
    wholeMachine(call.cloud, call.cloud.makeMachine(appOf(call), call.body as Schemas['CreateMachineRequest'])),
  ],
  'GET /apps/*/machines/*': async call => [200, wholeMachine(call.cloud, machineOf(call))],
  'POST /apps/*/machines/*': async call => {
    const machine = held(call);
    await call.cloud.updateMachine(machine, call.body as Schemas['UpdateMachineRequest']);
    return [200, wholeMachine(call.cloud, machine)];
  },
  'DELETE /apps/*/machines/*': async call => {
    await call.cloud.removeMachine(held(call), call.query.get('force') === 'true');
    return [200, { ok: true }];
  },
  'POST /apps/*/machines/*/start': async call => {
    const machine = held(call);
    const before = machine.state;
    call.cloud.start(machine);
    return [200, { previous_state: before }];
  },
  'POST /apps/*/machines/*/stop': async call => {
    call.cloud.stop(held(call), (call.body ?? {}) as Schemas['StopRequest']);
    return [200, { ok: true }];
  },
  'GET /apps/*/machines/*/wait': async call => {
    const { query } = call;
    const machine = machineOf(call);
    const state = query.get('state') ?? 'started';
    await call.cloud.wait(machine, state, query.get('version') ?? undefined, Number(query.get('timeout') ?? 60));
    return [200, { ok: true, state, version: machine.version }];
  },
  'GET /apps/*/machines/*/events': async call => [200, machineOf(call).events],
  'POST /apps/*/machines/*/lease': async call => {
    const machine = held(call);
    const { ttl = 30 } = (call.body ?? {}) as Schemas['CreateLeaseRequest'];
    machine.lease = { nonce: randomBytes(6).toString('hex'), until: Date.now() + ttl * 1_000 };
    const { nonce, until } = machine.lease;
    return [201, { status: 'success', data: { nonce, expires_at: Math.floor(until / 1_000), owner: 'tester' } }];
  },
  'DELETE /apps/*/machines/*/lease': async call => {
    held(call).lease = undefined;
    return [200, { ok: true }];
  },
  'PUT /apps/*/machines/*/metadata': async call => {
    const { metadata = {}, machine_version: version } = call.body as Schemas['updateMetadataRequest'];
    const machine = held(call);
    if (version !== undefined && version !== machine.version)
      throw new Refusal(412, `failed_precondition: machine version mismatch`);
    for (const [key, value] of Object.entries(metadata)) call.cloud.note(machine, key, value || undefined);
    return [204];
  },
  'POST /apps/*/machines/*/metadata/*': async call => {
    const { value = '' } = call.body as Schemas['upsertMetadataKeyRequest'];
    call.cloud.note(held(call), call.parts[5] ?? '', value);
    return [204];
  },
  'GET /orgs/*/volumes': async ({ cloud, parts }) => {
    const apps = [...cloud.apps.values()].filter(({ organization }) => organization === parts[1]);
    const volumes = apps.flatMap(({ name, volumes }) =>
      [...volumes.values()].map(volume => ({ ...wholeVolume(cloud, volume), app_name: name })),
    );
    return [200, { volumes }];
  },
  'GET /orgs/*/machines': async ({ cloud, parts, query }) => {
    const all = [...cloud.apps.values()].filter(({ organization }) => organization === parts[1]);
    const rows = all
      .flatMap(({ machines }) => [...machines.values()])
      .flatMap(machine => {
        const row = cloud.listed(machine);
        return row === undefined || cloud.silent.has(machine.region) ? [] : [row];
      });
    const begin = Number(query.get('cursor') ?? 0);
    const end = begin + Math.min(Number(query.get('limit') ?? 1_000), 1_000);
    const errors = cloud.silent.size > 0 ? { error_regions: [...cloud.silent] } : {};
    return [
      200,
      { machines: rows.slice(begin, end), ...(end < rows.length && { next_cursor: String(end) }), ...errors },
    ];
  },
};

/** How often a call may be made; its bucket is filled by one each period of milliseconds. */
const rateOf = (method: string) => (method === 'GET' ? { burst: 10, period: 200 } : { burst: 3, period: 1_000 });

/** The stand-in's Machines API and its logs, on a port of the loopback. */
export class CloudServer {
  readonly faults = new CloudFaults();
  /** Each call that came, as method and path. */
  readonly calls: string[] = [];
  readonly tokens = new Set<string>();
  readonly #cloud: FlyCloud;
  readonly #buckets = new Map<string, { left: number; at: number }>();
  readonly #server: Server;

  private constructor(cloud: FlyCloud) {
    this.#cloud = cloud;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(cloud: FlyCloud): Promise<CloudServer> {
    const started = new CloudServer(cloud);
    await new Promise<void>(resolve => started.#server.listen(0, '127.0.0.1', resolve));
    return started;
  }

  get apiUrl(): string {
    return `${this.#origin}/v1`;
  }
  get logsUrl(): string {
    return `${this.#origin}/api/v1`;
  }
  get #origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://fly');
    const { method = 'GET', headers } = request;
    const send = (status: number, body?: unknown, more: Record<string, string> = {}) => {
      response.writeHead(status, {
        'fly-request-id': randomBytes(6).toString('hex'),
        ...more,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      });
      response.end(body === undefined ? undefined : JSON.stringify(body));
    };
    try {
      const body = Number(headers['content-length'] ?? 0) > 0 ? await json(request) : undefined;
      const isLog = pathname.startsWith('/api/v1/');
      const path = pathname.replace(/^\/(api\/)?v1/, '');
      this.calls.push(`${method} ${path}`);
      const token = /^(?:Bearer|FlyV1) (.+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
      if (!this.tokens.has(token)) throw new Refusal(401, 'token validation error: unauthorized');
      const wait = this.#overRate(method, path);
      if (wait > 0)
        return send(429, { error: 'rate limit exceeded' }, { 'retry-after': String(Math.ceil(wait / 1_000)) });
      const fault = this.faults.take(method, path);
      if (fault?.answer) {
        const { status, error = 'injected', code, retryAfter } = fault.answer;
        return send(
          status,
          { error, ...(code && { status: code }) },
          retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) },
        );
      }
      const parts = path.split('/').slice(1).map(decodeURIComponent);
      if (isLog) return send(200, this.#logs(parts[1] ?? '', query));
      const name = Object.keys(handlers).find(key => {
        const [wanted, pattern = ''] = key.split(' ');
        return wanted === method && new RegExp(`^${pattern.replaceAll('*', '[^/]+')}$`).test(path);
      });
      const handler = handlers[name ?? ''];
      if (!handler) throw new Refusal(404, `the stand-in has no ${method} ${path}`);
      const nonce = headers['fly-machine-lease-nonce'];
      const [status, answer] = await handler({
        ...{ cloud: this.#cloud, parts, query, body },
        nonce: typeof nonce === 'string' ? nonce : undefined,
      });
      if (fault?.loseReply) return void request.socket.destroy();
      send(status, answer);
    } catch (error) {
      const { status, code, message } = error instanceof Refusal ? error : new Refusal(500, String(error));
      send(status, { error: message, ...(code && { status: code }) });
    }
  }

  /** Milliseconds until such a call may be made again; 0 when it may be made now. */
  #overRate(method: string, path: string): number {
    const { burst, period } = rateOf(method);
    const key = `${method} ${path}`;
    const now = performance.now();
    const bucket = this.#buckets.get(key) ?? { left: burst, at: now };
    const left = Math.min(burst, bucket.left + (now - bucket.at) / period);
    this.#buckets.set(key, { left: left < 1 ? left : left - 1, at: now });
    return left < 1 ? (1 - left) * period : 0;
  }

  /** A hundred lines a page; the token is how many were told. */
  #logs(appName: string, query: URLSearchParams) {
    const { log } = this.#cloud.app(appName);
    const begin = Number(query.get('next_token') ?? 0);
    const page = log.slice(begin, begin + 100);
    return {
      data: page.map((attributes, index) => ({ id: String(begin + index), type: 'log', attributes })),
      meta: { next_token: String(begin + page.length) },
    };
  }
}
