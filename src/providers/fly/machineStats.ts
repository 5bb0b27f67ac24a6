import * as z from 'zod';
import type { InstanceStats } from '../../model/provider.ts';

/** Runs inside: what the machine uses, as its kernel tells it, and of the disk that its argument lies on. */
export const measuring = `
const fs = require('fs');
const cpu = () => {
  const times = fs.readFileSync('/proc/stat', 'utf8').split('\\n', 1)[0].trim().split(/ +/).slice(1, 9).map(Number);
  const all = times.reduce((sum, time) => sum + time);
  return { all, busy: all - times[3] - times[4] };
};
const memory = name => Number(new RegExp(name + ': +([0-9]+)').exec(fs.readFileSync('/proc/meminfo', 'utf8'))[1]) * 1024;
const before = cpu();
setTimeout(() => {
  const after = cpu();
  const { blocks, bfree, bsize } = fs.statfsSync(process.argv[1]);
  const share = (after.busy - before.busy) / Math.max(1, after.all - before.all);
  const memoryLimitBytes = memory('MemTotal');
  console.log(JSON.stringify({
    cpuCores: share * require('os').availableParallelism(),
    memoryBytes: memoryLimitBytes - memory('MemAvailable'),
    memoryLimitBytes,
    diskUsedBytes: (blocks - bfree) * bsize,
    diskTotalBytes: blocks * bsize,
  }));
}, 200);`;

const Measured = z.object({
  cpuCores: z.number().min(0),
  memoryBytes: z.number(),
  memoryLimitBytes: z.number(),
  diskUsedBytes: z.number(),
  diskTotalBytes: z.number(),
});

/** What {@link measuring} printed; undefined when that is something else. */
export function statsOf(id: string, printed: string): InstanceStats | undefined {
  try {
    return { id, ...Measured.parse(JSON.parse(printed)) };
  } catch {
    return undefined;
  }
}
