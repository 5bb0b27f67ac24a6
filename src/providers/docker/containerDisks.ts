import type Dockerode from 'dockerode';
import pLimit from 'p-limit';
import { type OperationContext, withTimeout } from '../../model/operationContext.ts';
import { type DiskUsage, diskUsage, FileSystemFacts } from '../diskUsage.ts';
import { outputOf } from './containerExec.ts';
import { layout, node } from './containerSpec.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { label, volumeName } from './instanceContainer.ts';

/** Disks are asked for at most so many at once, since each is a process in a container. */
const pool = 4;
/** For one container, and for one disk: less than a caller waits for the other figures. */
const containerPatience = 2_000;
const diskPatience = 5_000;

/** Runs inside. */
const print = 'process.stdout.write(JSON.stringify(require("fs").statfsSync(process.argv[1])))';

/** A container that runs. */
export interface RunningContainer {
  readonly id: string;
  readonly containerId: string;
}

/**
 * How full the disks are that the homes lie on, by instance. An engine's volumes share its disk, so that a round costs
 * one process for all of them and not one each. What can't be told is left out. Rejects only with the signal's reason.
 */
export async function readDisks(
  engine: DockerEngine,
  containers: readonly RunningContainer[],
  ctx: OperationContext,
): Promise<Map<string, DiskUsage>> {
  const disks = await diskNames(engine, ctx);
  const sharing = Map.groupBy(containers, ({ id }) => disks.get(volumeName(id)) ?? id);
  const limit = pLimit(pool);
  const told = await Promise.all(
    [...sharing.values()].map(some =>
      limit(async () => {
        const usage = await firstTold(engine, some, ctx);
        return usage ? some.map(({ id }) => [id, usage] as const) : [];
      }),
    ),
  );
  return new Map(told.flat());
}

async function firstTold(
  engine: DockerEngine,
  containers: readonly RunningContainer[],
  ctx: OperationContext,
): Promise<DiskUsage | undefined> {
  const limited = withTimeout(ctx, diskPatience);
  for (const { containerId } of containers) {
    if (limited.signal.aborted) break;
    const argv = [node, '-e', print, layout.home];
    const asked = outputOf(engine, containerId, argv, 'Measuring a disk', withTimeout(limited, containerPatience));
    const usage = await asked.then(readUsage).catch(() => undefined);
    if (usage) return usage;
  }
  ctx.signal.throwIfAborted();
  return undefined;
}

/** The disk of each volume, by name. Without them every volume counts as a disk of its own. */
async function diskNames(engine: DockerEngine, ctx: OperationContext): Promise<Map<string, string>> {
  try {
    const { Volumes } = await engine.call('Listing the volumes', ctx, (docker, abortSignal) =>
      docker.listVolumes({ filters: { label: [label.instance] }, abortSignal }),
    );
    return new Map((Volumes ?? []).map(volume => [volume.Name, diskOf(volume)]));
  } catch {
    ctx.signal.throwIfAborted();
    return new Map();
  }
}

/** Pure: one name for volumes that share a disk. Those with a driver or options of their own may lie anywhere. */
export function diskOf({ Name, Driver, Options }: Pick<Dockerode.VolumeInspectInfo, 'Name' | 'Driver' | 'Options'>) {
  return Driver === 'local' && Object.keys(Options ?? {}).length === 0 ? 'the engine' : Name;
}

/** Pure: undefined when it is not what the program inside prints. */
export function readUsage(output: string): DiskUsage | undefined {
  try {
    return diskUsage(FileSystemFacts.parse(JSON.parse(output)));
  } catch {
    return undefined;
  }
}
