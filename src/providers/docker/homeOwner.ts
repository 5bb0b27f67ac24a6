import type { VSCodeInstance } from '../../model/instance.ts';
import type { Claim, OperationContext } from '../../model/operationContext.ts';
import { withCheckContainer } from './checkContainer.ts';
import { homeMount } from './containerSpec.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { label, volumeName } from './instanceContainer.ts';
import { ensureImage } from './pull.ts';
import type { ReservedFiles } from './reservedFiles.ts';
import { volumeLabels } from './volumes.ts';

type HomeOwner = Claim & Pick<VSCodeInstance, 'owner' | 'adoptedAt'>;

/**
 * Whose a home is that no container tells of: by the record in it, or where it has none, by who made it. Undefined when
 * there is no such home. Rejects with `reserved-file-unreadable`: what can't be read is somebody's.
 */
export async function ownerOfHome(
  engine: DockerEngine,
  files: ReservedFiles,
  instanceId: string,
  image: string,
  ctx: OperationContext,
): Promise<HomeOwner | undefined> {
  const labels = await volumeLabels(engine, volumeName(instanceId), ctx);
  if (labels?.[label.instance] !== instanceId) return undefined;
  // Nothing is run of it: any image does.
  const Image = await anyImage(engine, image, ctx);
  const spec = { Image, Entrypoint: ['true'], HostConfig: { Mounts: [homeMount(instanceId)] } };
  const mark = await withCheckContainer(engine, spec, async ({ id: containerId }) => {
    const place = { id: instanceId, containerId };
    return (await files.areThere(place, ctx)) ? files.readMark(place, ctx) : undefined;
  });
  if (mark) return mark.identity;
  return { swarmId: labels[label.swarm] ?? '', epoch: 1, owner: { user: 'unknown', machine: 'unknown' } };
}

async function anyImage(engine: DockerEngine, usual: string, ctx: OperationContext): Promise<string> {
  const images = await engine.call('Listing the images', ctx, (docker, abortSignal) =>
    docker.listImages({ abortSignal }),
  );
  return images[0]?.Id ?? ensureImage(engine, usual, ctx);
}
