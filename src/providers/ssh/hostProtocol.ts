import * as z from 'zod';
import { InstanceRole, InstanceStatus, Port, VSCodeInstance } from '../../model/instance.ts';
import { HostName } from '../../model/machineIdentity.ts';
import type { HomeTask, InstanceChange, InstanceHeir, InstanceSpec, LogOptions } from '../../model/provider.ts';

// What is said between the extension and the program that it runs on a host: one program for each call, one line of
// JSON for each thing said. The program reads its request first; when its input ends before it has answered, whoever
// called is gone, and the call is rolled back as one that was cancelled.

/** What the host is, as far as the provider must know it. */
export const HostFacts = z.object({
  cores: z.int().min(1),
  memoryMb: z.int().min(1),
  /** Absolute path of the directory in which its instances lie. */
  instances: z.string().min(1),
});
export type HostFacts = z.infer<typeof HostFacts>;

const optional = z.string().optional();

/** What is called on the host, and what it answers. */
export const hostAnswers = {
  hello: HostFacts,
  create: VSCodeInstance,
  get: VSCodeInstance.nullable(),
  list: z.array(VSCodeInstance),
  start: VSCodeInstance,
  stop: VSCodeInstance,
  delete: z.boolean(),
  update: VSCodeInstance,
  logs: z.object({ lines: z.array(z.string()), truncated: z.boolean() }),
  execute: z.object({ exitCode: z.int(), stdout: z.string(), stderr: z.string(), truncated: z.boolean() }),
  /** The rows, all of those instances whose record can be read, and how soon those answered that did so at once. */
  observe: z.object({
    rows: z.array(
      z.object({
        ...{
          id: z.string(),
          swarmId: z.string(),
          epoch: z.int(),
          generation: z.int().optional(),
          createdAt: z.string(),
        },
        ...{ role: InstanceRole, status: InstanceStatus, detail: optional, port: Port.optional() },
        elsewhere: HostName.optional(),
      }),
    ),
    whole: z.array(VSCodeInstance),
    answered: z.array(z.object({ id: z.string(), latencyMs: z.number() })),
  }),
  readToken: z.string(),
  serverPort: Port,
  probe: z.array(
    z.discriminatedUnion('answered', [
      z.object({ answered: z.literal(true), latencyMs: z.number() }),
      z.object({ answered: z.literal(false), latencyMs: z.number(), seen: z.string() }),
    ]),
  ),
  hasHome: z.boolean(),
  recreate: VSCodeInstance,
  prepareIncoming: VSCodeInstance,
  setRole: VSCodeInstance,
  transfer: VSCodeInstance,
  giveUpServer: VSCodeInstance,
  stats: z.array(
    z.object({
      ...{ id: z.string(), cpuCores: z.number(), memoryBytes: z.number() },
      ...{ diskUsedBytes: z.number().exactOptional(), diskTotalBytes: z.number().exactOptional() },
    }),
  ),
  freeBytes: z.number().min(0).nullable(),
  /** Of what can't be told there is no row. */
  homeBytes: z.array(z.tuple([z.string(), z.number().min(0)])),
  listPorts: z.array(Port),
  followLogs: z.null(),
  watch: z.null(),
} as const;
export type HostCall = keyof typeof hostAnswers;
export type HostAnswer<C extends HostCall> = z.infer<(typeof hostAnswers)[C]>;

/** What each of them is given. */
export interface HostArguments {
  hello: [];
  create: [spec: InstanceSpec];
  get: [id: string];
  list: [];
  start: [id: string];
  stop: [id: string, force: boolean];
  delete: [id: string];
  update: [id: string, update: InstanceChange, secrets: Readonly<Record<string, string>>];
  logs: [id: string, options: LogOptions];
  /** Its standard input comes in lines of {@link HostInput}. */
  execute: [id: string, command: string, maxOutputBytes: number | null];
  observe: [];
  readToken: [id: string];
  serverPort: [id: string];
  probe: [wanted: readonly (readonly [id: string, port: number | null])[]];
  hasHome: [id: string];
  recreate: [spec: InstanceSpec];
  prepareIncoming: [spec: InstanceSpec];
  setRole: [id: string, role: InstanceRole];
  transfer: [id: string, heir: InstanceHeir];
  giveUpServer: [id: string];
  stats: [ids: readonly string[]];
  freeBytes: [];
  homeBytes: [ids: readonly string[]];
  listPorts: [id: string];
  /** Tells that it has `begun`, and then `line`s. */
  followLogs: [id: string];
  /** Tells that it has `begun`, and then `wake`s; ends when its input does. */
  watch: [];
}

/** The first line. `providerId` is what the provider is called in its answers. */
export const HostRequest = z.object({
  providerId: z.string(),
  call: z.string(),
  args: z.array(z.unknown()),
  /** For whom it is done. */
  claim: z.object({ swarmId: z.string(), epoch: z.int(), generation: z.int().optional() }).optional(),
  /** Whether the caller holds a lock for it, and is asked for that before each act. */
  isLocked: z.boolean(),
});

/** How many `data` may be on their way: what is taken up slowly must not hold up what is said after it. */
export const dataWindow = 8;

/** The lines after it. */
export const HostInput = z.union([
  z.object({ data: z.base64() }),
  z.object({ end: z.literal(true) }),
  /** Whether the lock is held, as `prove` asked. */
  z.object({ held: z.boolean() }),
  /** Name of the error that is the reason. */
  z.object({ abort: z.string() }),
]);
export type HostInput = z.infer<typeof HostInput>;

/** The lines of the program; one of the last three ends them. */
export const HostOutput = z.union([
  z.object({ report: z.string(), fraction: z.number().optional() }),
  z.object({ line: z.string() }),
  z.object({ wake: z.string().nullable() }),
  /** What is followed is followed from here on. */
  z.object({ begun: z.literal(true) }),
  /** Asks whether the lock is held at this moment. */
  z.object({ prove: z.literal(true) }),
  /** One `data` less is on its way. */
  z.object({ taken: z.literal(true) }),
  z.object({
    error: z.object({
      family: z.enum(['validation', 'provider', 'network', 'state', 'permission']),
      ...{ code: z.string(), message: z.string(), hint: optional, retryable: z.boolean() },
    }),
  }),
  z.object({ aborted: z.literal(true) }),
  z.object({ result: z.unknown() }),
]);
export type HostOutput = z.infer<typeof HostOutput>;

/** How the program is called without such lines: its standard streams are those of what runs beside a home, or of a shell. */
export const hostModes = {
  home: (id: string, task: HomeTask) => ['home', id, task],
  terminal: (id: string) => ['terminal', id],
} as const;
