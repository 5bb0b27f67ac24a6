import { instanceBusy } from '../../model/errors.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { label, volumeName } from './instanceContainer.ts';

/** States in which something inside runs, or goes on later with what it did. */
const alive = ['running', 'paused', 'restarting'];

/**
 * Asked right before a server is made or started on a home: rejects with `instance-busy` when any other container runs that
 * can write to it, whatever it is called and whoever made it (semantics 42).
 */
export async function refuseSecondServer(
  engine: DockerEngine,
  instanceId: string,
  containerId: string | undefined,
  ctx: OperationContext,
): Promise<void> {
  const volume = volumeName(instanceId);
  const rows = await engine.call('Looking for what uses the home', ctx, (docker, abortSignal) =>
    docker.listContainers({ all: true, filters: { volume: [volume] }, abortSignal }),
  );
  const other = rows.find(
    ({ Id, State, Labels, Mounts }) =>
      Id !== containerId &&
      alive.includes(State) &&
      Labels?.[label.check] === undefined &&
      Mounts.some(({ Name, RW }) => Name === volume && RW),
  );
  if (!other) return;
  const name = other.Names?.[0]?.replace(/^\//, '') ?? other.Id;
  throw instanceBusy(instanceId, `its home is in use by the container "${name}"`);
}
