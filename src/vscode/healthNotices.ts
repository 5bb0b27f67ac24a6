import type { InstanceHealth } from '../model/health.ts';

/** What a person has to act on. */
export type NoticeKind = 'crash-loop' | 'out-of-memory' | 'disk-full';

/** One event that a person is told of once. */
export interface Notice {
  readonly kind: NoticeKind;
  /** When it began: two events of a kind differ in it. */
  readonly since: string;
  /** Why, in a sentence. */
  readonly reason: string;
  /** Whether more memory would help. */
  readonly needsMemory: boolean;
}

/** So many times out of memory are more than an accident. */
const oftenOutOfMemory = 2;

/** What there is to tell of an instance now, at most one of it: a crash loop says all. Nothing while it is not watched. */
export function noticeOf({ status, since, reason, pausedSince, checks, recovery }: InstanceHealth): Notice | undefined {
  if (pausedSince !== undefined) return undefined;
  const shortages = recovery.attempts.filter(({ cause }) => cause === 'out-of-memory');
  const { crashLoop } = recovery;
  if (crashLoop) return { kind: 'crash-loop', ...crashLoop, needsMemory: shortages.length > 0 };
  const [first] = shortages;
  if (first && shortages.length >= oftenOutOfMemory) {
    return { kind: 'out-of-memory', since: first.at, reason, needsMemory: true };
  }
  const isFull = checks.some(({ name, outcome }) => name === 'resources' && outcome === 'failed');
  if (isFull && status === 'degraded') return { kind: 'disk-full', since, reason, needsMemory: false };
  return undefined;
}
