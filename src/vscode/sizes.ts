import { Resources } from '../model/instance.ts';
import type { ProviderCapabilities } from '../model/provider.ts';
import type { Translate } from '../operations/translate.ts';

/** What a provider has for one instance. */
export type Room = ProviderCapabilities['maxResourcesPerInstance'];

/** Sizes that are offered where they fit. Memory in MiB. */
export const presets = {
  small: { cpuCores: 1, memoryMb: 2048 },
  medium: { cpuCores: 2, memoryMb: 4096 },
  large: { cpuCores: 4, memoryMb: 8192 },
  huge: { cpuCores: 8, memoryMb: 16_384 },
} as const;
export type Preset = keyof typeof presets;
export const isPreset = (text: string): text is Preset => Object.hasOwn(presets, text);

const coresOf = ({ cpu }: Room) => cpu.limit ?? cpu.cores;
const memoryOf = ({ memory }: Room) => memory.max ?? Number.POSITIVE_INFINITY;

export const fits = ({ cpuCores, memoryMb }: { cpuCores: number; memoryMb: number }, room: Room) =>
  cpuCores <= coresOf(room) && memoryMb <= memoryOf(room);

/** People speak of GB; to as many places as lead back to the same MiB. */
export const toGb = (memoryMb: number) => Number((memoryMb / 1024).toFixed(4));
export const toMb = (memoryGb: number) => Math.round(memoryGb * 1024);

/** Why nobody among `rooms` can give so many cores; without rooms only what nobody anywhere could. */
export function coresProblem(text: string, rooms: readonly Room[], t: Translate): string | undefined {
  const { minValue: least, maxValue } = Resources.shape.cpuCores.unwrap();
  const most = Math.min(maxValue ?? Number.POSITIVE_INFINITY, largest(rooms.map(coresOf)));
  const cores = Number(text);
  if (!Number.isFinite(cores)) return t('must be a number');
  if (cores < (least ?? 0)) return t('must be at least {0}', least ?? 0);
  return cores > most ? t('must be at most {0}', most) : undefined;
}

/** Why nobody among `rooms` can give so many GB. */
export function memoryProblem(text: string, rooms: readonly Room[], t: Translate): string | undefined {
  const { minValue, maxValue } = Resources.shape.memoryMb.unwrap();
  const least = Math.max(minValue ?? 0, rooms.length > 0 ? Math.min(...rooms.map(({ memory }) => memory.min)) : 0);
  const most = Math.min(maxValue ?? Number.POSITIVE_INFINITY, largest(rooms.map(memoryOf)));
  const memoryMb = toMb(Number(text));
  if (!Number.isFinite(memoryMb)) return t('must be a number');
  if (memoryMb < least) return t('must be at least {0} GB', toGb(least));
  return memoryMb > most ? t('must be at most {0} GB', Math.floor((most / 1024) * 10) / 10) : undefined;
}

const largest = (numbers: readonly number[]) => (numbers.length > 0 ? Math.max(...numbers) : Number.POSITIVE_INFINITY);
