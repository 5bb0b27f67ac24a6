import * as z from 'zod';
import { type OperationContext, uncancelled } from '../../model/operationContext.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { dial } from './engineClient.ts';
import { engineStatus } from './engineErrors.ts';

/** Making may wait for a busy disk; it is never cut off in the middle, when its outcome could not be known. */
const patience = 60_000;

/** Makes the volume, or leaves the one of that name as it is; the labels that it has now tell which. */
export async function makeVolume(
  engine: DockerEngine,
  name: string,
  labels: Readonly<Record<string, string>>,
  ctx: OperationContext,
): Promise<Record<string, string>> {
  const own = uncancelled(ctx);
  await engine.call(
    'Making a volume',
    own,
    (docker, abortSignal) => docker.createVolume({ Name: name, Labels: { ...labels }, abortSignal }),
    patience,
  );
  return (await volumeLabels(engine, name, own)) ?? {};
}

/** Undefined when there is no such volume. */
export async function volumeLabels(
  engine: DockerEngine,
  name: string,
  ctx: OperationContext,
): Promise<Record<string, string> | undefined> {
  try {
    const { Labels } = await engine.call('Looking for a volume', ctx, (docker, abortSignal) =>
      docker.getVolume(name).inspect({ abortSignal }),
    );
    return Labels ?? {};
  } catch (error) {
    if (engineStatus(error) === 404) return undefined;
    throw error;
  }
}

const Sizes = z.array(z.object({ Name: z.string(), UsageData: z.object({ Size: z.number() }).nullish() })).nullish();
/** As engines tell it up to API 1.51, and after that. */
const DiskUse = z.object({ Volumes: Sizes, VolumeUsage: z.object({ Items: Sizes }).nullish() });

/** What each volume takes, in bytes, by name. The engine walks all of them for that. */
export async function volumeSizes(engine: DockerEngine, ctx: OperationContext): Promise<Map<string, number>> {
  const told = await engine.call(
    'Measuring the volumes',
    ctx,
    (docker, abortSignal) =>
      // What dockerode has for it asks about images and containers, too, which costs much more.
      dial<unknown>(docker, {
        ...{ path: '/system/df?type=volume&verbose=true', method: 'GET', abortSignal, statusCodes: { 200: true } },
      }),
    patience,
  );
  const { Volumes, VolumeUsage } = DiskUse.parse(told);
  return new Map(
    (VolumeUsage?.Items ?? Volumes ?? []).flatMap(({ Name, UsageData }) =>
      UsageData && UsageData.Size >= 0 ? [[Name, UsageData.Size] as const] : [],
    ),
  );
}

/** Rejects when something still uses it. */
export async function removeVolume(engine: DockerEngine, name: string, ctx: OperationContext): Promise<void> {
  try {
    await engine.call('Removing a volume', ctx, (docker, abortSignal) =>
      docker.getVolume(name).remove({ abortSignal }),
    );
  } catch (error) {
    if (engineStatus(error) !== 404) throw error;
  }
}
