import type Dockerode from 'dockerode';
import { handedOver, heldBack } from '../../../media/instance/launcher.mjs';
import type { InstanceIdentity, InstanceRole, Resources } from '../../model/instance.ts';
import { instanceLayout, serveArguments } from '../editorServer.ts';
import { containerName, labelsOf, serverPort, volumeName } from './instanceContainer.ts';

/** Where an instance lies inside its container. */
export const layout = instanceLayout('/remote-swarm');
export const launcher = `${layout.reserved}/launcher.mjs`;
/** The user of everything in a container. */
export const user = { uid: 1000, gid: 1000 } as const;

/** Where code-server's image has its server and node; the runtime volume has the same layout. */
export const serverRoot = '/usr/lib/code-server';
export const node = `${serverRoot}/lib/node`;
export const serverMain = `${serverRoot}/lib/vscode/out/server-main.js`;

const defaultPids = 4096;
const mib = 1024 ** 2;

/** All that a container is made of. */
export interface ContainerPlan {
  readonly identity: InstanceIdentity;
  readonly role: InstanceRole;
  readonly image: string;
  /** The image's own variables, as `NAME=value`. */
  readonly env: readonly string[];
  readonly resources: Resources;
  /** Id of the swarm's network. */
  readonly network: string;
  /** Volume with the editor server, when the image brings none. */
  readonly runtimeVolume?: string;
  readonly shell: string;
  /** Whether the editor's port is published on this machine's loopback; a remote engine's is reached by a tunnel. */
  readonly publish: boolean;
  /** As `NAME=value`; they count beside what the image says. */
  readonly proxies: readonly string[];
}

/** What the engine holds a container to. No swap, so that the memory limit is the limit. */
export function limitsOf({ cpuCores, memoryMb, pids }: Resources) {
  return {
    PidsLimit: pids ?? defaultPids,
    ...(cpuCores !== undefined && { NanoCpus: Math.round(cpuCores * 1e9) }),
    ...(memoryMb !== undefined && { Memory: memoryMb * mib, MemorySwap: memoryMb * mib }),
  };
}

/** Whether the change can be made on the living container: an engine can move a limit, and not take it away. */
export function canResizeLive(before: Resources, after: Resources): boolean {
  return (
    !(before.cpuCores !== undefined && after.cpuCores === undefined) &&
    !(before.memoryMb !== undefined && after.memoryMb === undefined)
  );
}

/** How everything of ours is confined (semantics 37). */
export const confinement = {
  Init: true,
  Privileged: false,
  CapDrop: ['ALL'],
  SecurityOpt: ['no-new-privileges'],
  RestartPolicy: { Name: 'no' },
} satisfies Dockerode.HostConfig;

/**
 * Has a program of ours start in any image as on its own: a variable without a value is taken away. What an image says
 * to nodes and loaders would be for another node, with other libraries.
 */
export const ownStart: readonly string[] = heldBack;

/** The same with what the image says, which the launcher gives to terminals and commands. */
const startOf = (env: readonly string[]) => [
  ...ownStart,
  ...env.filter(variable => heldBack.includes(variable.split('=', 1)[0] ?? '')).map(handedOver),
];

/** The editor server out of a volume, for images without one. Never written to. */
export const runtimeMount = (volume: string): Dockerode.MountSettings => ({
  Type: 'volume',
  Source: volume,
  Target: serverRoot,
  ReadOnly: true,
});

/** An instance's volume, with its home and what lies beside it. */
export const homeMount = (instanceId: string): Dockerode.MountSettings => ({
  Type: 'volume',
  Source: volumeName(instanceId),
  Target: layout.root,
  VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: { Name: 'local', Options: {} } },
});

/** The request that makes an instance's container. It holds no secret and none of the instance's variables. */
export function containerSpec(plan: ContainerPlan): Dockerode.ContainerCreateOptions {
  const port = `${serverPort}/tcp`;
  const home = homeMount(plan.identity.id);
  return {
    name: containerName(plan.identity, plan.role),
    Image: plan.image,
    Labels: labelsOf(plan.identity),
    User: `${user.uid}:${user.gid}`,
    Env: [...startOf(plan.env), ...plan.proxies, `HOME=${layout.home}`, `SHELL=${plan.shell}`],
    WorkingDir: '/',
    Entrypoint: [node],
    Cmd: serveArguments(launcher, serverMain, layout, plan.identity.id, '0.0.0.0', serverPort),
    StopSignal: 'SIGTERM',
    StopTimeout: 10,
    // An engine-side check costs 45 ms of CPU each; the editor server is probed from here.
    Healthcheck: { Test: ['NONE'] },
    ExposedPorts: { [port]: {} },
    HostConfig: {
      ...confinement,
      ...limitsOf(plan.resources),
      NetworkMode: plan.network,
      ...(plan.publish && { PortBindings: { [port]: [{ HostIp: '127.0.0.1', HostPort: '' }] } }),
      Mounts: plan.runtimeVolume === undefined ? [home] : [home, runtimeMount(plan.runtimeVolume)],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '2' } },
    },
  };
}
