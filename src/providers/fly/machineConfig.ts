import { handedOver, heldBack } from '../../../media/instance/launcher.mjs';
import type { Resources, VSCodeInstance } from '../../model/instance.ts';
import { instanceLayout, serveArguments } from '../editorServer.ts';
import type { InstanceMark } from '../instanceMark.ts';
import type { Schemas } from './flyApi.ts';
import { label, type MachineMode } from './instanceMachine.ts';

/** Where an instance lies inside its machine: all of it on the volume, as the rest is made anew at every start. */
export const layout = instanceLayout('/remote-swarm');
/** What is written there at every start, before anything runs. */
const bootFolder = '/remote-swarm-boot';
export const launcher = `${bootFolder}/launcher.mjs`;
export const homeProgramThere = `${bootFolder}/home.mjs`;

/** Where code-server's image has its server and node. */
const serverRoot = '/usr/lib/code-server';
export const node = `${serverRoot}/lib/node`;
export const serverMain = `${serverRoot}/lib/vscode/out/server-main.js`;

/** Of the gate, which the app's own address leads to, and of the editor server, on the machine's loopback. */
export const gatePort = 8080;
export const serverPort = 8081;

/** Names of an app's secrets. Their values are base64, as files of a machine want them. */
export const secretName = {
  token: 'REMOTE_SWARM_TOKEN',
  environment: 'REMOTE_SWARM_ENVIRONMENT',
  owner: 'REMOTE_SWARM_OWNER',
} as const;

/** The programs of `media/instance`, by their names there. */
export interface InstancePrograms {
  readonly 'gate.mjs': string;
  readonly 'launcher.mjs': string;
  readonly 'home.mjs': string;
}

/** All that a machine is made of. */
export interface MachinePlan {
  readonly mark: InstanceMark;
  readonly role: VSCodeInstance['role'];
  readonly mode: MachineMode;
  readonly image: string;
  readonly resources: Resources;
  readonly volumeId: string;
  readonly programs: InstancePrograms;
}

const sharedCpus = [1, 2, 4, 6, 8];
const performanceCpus = [1, 2, 4, 8, 16];
/** MiB for each processor, at least and at most. */
const memoryOf = { shared: [256, 2_048], performance: [2_048, 8_192] } as const;
const memoryStep = 256;
const defaultSize = { cpuCores: 2, memoryMb: 2_048 };

/** The largest machine, as capabilities tell it. */
export const largest = { cores: 16, memoryMb: 16 * 8_192 } as const;

/** Pure: the smallest size that Fly sells which has at least these resources. */
export function guestOf(asked: Resources): Schemas['fly.MachineGuest'] {
  const { cpuCores = defaultSize.cpuCores, memoryMb = defaultSize.memoryMb } = asked;
  const fits = (kind: keyof typeof memoryOf) => (cpus: number) =>
    cpus >= cpuCores && cpus * memoryOf[kind][1] >= memoryMb;
  const shared = sharedCpus.find(fits('shared'));
  const kind = shared === undefined ? 'performance' : 'shared';
  const cpus = shared ?? performanceCpus.find(fits('performance')) ?? largest.cores;
  const [least, most] = memoryOf[kind];
  const memory = Math.ceil(memoryMb / memoryStep) * memoryStep;
  return { cpu_kind: kind, cpus, memory_mb: Math.min(Math.max(memory, cpus * least), cpus * most) };
}

/** What is noted of a config on a machine: all of it, but the values of variables, which are a secret of the app. */
export const configNotes = (config: InstanceMark['config']) => ({
  [label.variables]: String(Object.keys(config.env).length),
  [label.config]: JSON.stringify({ ...config, env: {} }),
});

/** What identity and config look like on a machine. Its role and its config can be changed without a restart. */
export function metadataOf({ identity, config }: InstanceMark, role: MachinePlan['role'], mode: MachineMode) {
  return {
    [label.swarm]: identity.swarmId,
    [label.instance]: identity.id,
    [label.epoch]: String(identity.epoch),
    ...(identity.generation !== undefined && { [label.generation]: String(identity.generation) }),
    [label.created]: identity.createdAt,
    [label.owner]: JSON.stringify(identity.owner),
    ...(identity.adoptedAt !== undefined && { [label.adopted]: identity.adoptedAt }),
    ...configNotes(config),
    [label.role]: role,
    [label.mode]: mode,
  };
}

/** Readable by whoever runs the image; nobody but the instance is in its machine. */
const readable = 0o444;

/**
 * Starts its arguments without what an image says to nodes and loaders, which would be for another node, with other
 * libraries; the launcher gives it to terminals and commands.
 */
const ownStart = `
for name in ${heldBack.join(' ')}; do
  eval "value=\\\${$name-}"
  [ -z "$value" ] || export "${handedOver('$name')}=$value"
  unset "$name"
done
exec "$@"`;

/** A machine's config. It holds the value of no variable. */
export function machineConfig({ mark, role, mode, image, resources, volumeId, programs }: MachinePlan) {
  const { identity, config } = mark;
  const { id } = identity;
  // All that the launcher needs of it.
  const secretNames = JSON.stringify({ config: { secretEnv: config.secretEnv } });
  const serve = serveArguments(launcher, serverMain, layout, id, '127.0.0.1', serverPort);
  return {
    image,
    guest: guestOf(resources),
    env: { HOME: layout.home, SHELL: '/bin/sh' },
    init: {
      exec: [
        ...['/bin/sh', '-c', ownStart, 'sh', node, `${bootFolder}/gate.mjs`, String(gatePort), String(serverPort)],
        ...(mode === 'serve' ? serve : []),
      ],
    },
    files: [
      ...Object.entries({ ...programs, 'instance.json': secretNames }).map(([name, text]) => ({
        guest_path: `${bootFolder}/${name}`,
        raw_value: Buffer.from(text).toString('base64'),
        mode: readable,
      })),
      { guest_path: `${bootFolder}/token`, secret_name: secretName.token, mode: readable },
      { guest_path: `${bootFolder}/environment.json`, secret_name: secretName.environment, mode: readable },
    ],
    mounts: [{ volume: volumeId, path: layout.root }],
    services: [
      {
        protocol: 'tcp',
        internal_port: gatePort,
        autostart: false,
        autostop: 'off',
        // Fly ends the encryption; what is inside is the gate's own business.
        ports: [{ port: 443, handlers: ['tls'], tls_options: { alpn: ['http/1.1'] } }],
      },
    ],
    // Who recovers an instance is the controller.
    restart: { policy: 'no' },
    metadata: metadataOf(mark, role, mode),
  } satisfies Schemas['fly.MachineConfig'];
}
