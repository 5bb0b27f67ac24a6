import type { InstanceStatus, StopCause } from '../../model/instance.ts';
import type { InstanceObservation, InstanceStats, Probe } from '../../model/provider.ts';

/** What the round's one list call says of an instance. */
export type Place =
  | { readonly kind: 'seen'; readonly observation: InstanceObservation; readonly latencyMs?: number | undefined }
  /** `confirmed`: a get said so twice, while the place was otherwise healthy (semantics 24). */
  | { readonly kind: 'absent'; readonly confirmed: boolean }
  /** The list call failed, for whatever reason. */
  | { readonly kind: 'failed'; readonly reason: string };

/** What one get said of an instance that the list shows as not running. */
export interface Confirmation {
  readonly status: InstanceStatus;
  readonly detail?: string | undefined;
  readonly cause?: StopCause | undefined;
}

/** All that one round found out about one instance. */
export interface RoundFacts {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly place: Place;
  readonly confirmed?: Confirmation | undefined;
  /** Absent when nobody asked, or when the place itself could not be reached for it. */
  readonly probe?: Probe | undefined;
  readonly stats?: InstanceStats | undefined;
  readonly observerEpoch: number;
}
