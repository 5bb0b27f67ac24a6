import type Dockerode from 'dockerode';
import type { OperationContext } from '../../model/operationContext.ts';
import type { InstanceStats } from '../../model/provider.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { engineStatus } from './engineErrors.ts';

/**
 * What running containers use. All are asked at once: an engine answers with its collector's next two ticks, so that a
 * round costs two seconds for one as for hundreds, and a small pool would pay that again and again.
 */
export async function readStats(
  engine: DockerEngine,
  containers: readonly { id: string; containerId: string }[],
  ctx: OperationContext,
): Promise<InstanceStats[]> {
  const rows = await Promise.all(
    containers.map(async ({ id, containerId }) => {
      try {
        const stats = await engine.call('Measuring', ctx, (docker, abortSignal) => {
          // Its types know nothing of the signal.
          const options: { stream: false; abortSignal: AbortSignal } = { stream: false, abortSignal };
          return docker.getContainer(containerId).stats(options);
        });
        return usageOf(id, stats);
      } catch (error) {
        if (engineStatus(error) === 404 || engineStatus(error) === 409) return undefined;
        throw error;
      }
    }),
  );
  return rows.filter(row => row !== undefined);
}

/** Pure: as `docker stats` counts. Undefined for a container that stopped meanwhile. */
export function usageOf(id: string, stats: Dockerode.ContainerStats): InstanceStats | undefined {
  const { cpu_stats: cpu, precpu_stats: before, memory_stats: memory } = stats;
  if (memory?.usage === undefined) return undefined;
  const used = cpu.cpu_usage.total_usage - before.cpu_usage.total_usage;
  const whole = cpu.system_cpu_usage - (before.system_cpu_usage ?? 0);
  const cores = cpu.online_cpus ?? 1;
  // What the kernel can drop at once is no use of memory; cgroup 1 and 2 name it differently.
  const details = memory.stats as Partial<Record<string, number>> | undefined;
  const cache = details?.total_inactive_file ?? details?.inactive_file ?? 0;
  return {
    id,
    cpuCores: whole > 0 ? Math.max(0, (used / whole) * cores) : 0,
    memoryBytes: Math.max(0, memory.usage - cache),
    // Without a limit the engine names the machine's memory, or a number beyond it.
    ...(memory.limit > 0 && memory.limit < Number.MAX_SAFE_INTEGER && { memoryLimitBytes: memory.limit }),
  };
}
