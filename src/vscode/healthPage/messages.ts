import * as z from 'zod';
import type { HealthSample, HealthStatus } from '../../model/health.ts';
import { InstanceId } from '../../model/instance.ts';

/** What the page asks or tells. */
export const FromPage = z.discriminatedUnion('type', [
  /** It has begun, or begun anew after it was hidden, and has nothing to show. */
  z.strictObject({ type: z.literal('ready') }),
  z.strictObject({ type: z.literal('failed'), message: z.string().max(4000) }),
]);
export type FromPage = z.infer<typeof FromPage>;

/** What the page keeps while it is hidden, and VS Code while the window is closed. */
export const PageState = z.object({
  instanceId: InstanceId,
  /** The part of the time that is shown, in milliseconds since 1970; all of it when absent. */
  view: z.object({ from: z.number(), to: z.number() }).optional(),
  table: z.boolean().optional(),
});
export type PageState = z.infer<typeof PageState>;

/** Everything the page shows. */
export interface ToPage {
  readonly type: 'history';
  readonly instanceId: string;
  /** Oldest first. */
  readonly samples: readonly HealthSample[];
  /** How it is now, in a sentence; its name is in the texts. */
  readonly now: string;
  /** How long a sample holds when none follows, in milliseconds. */
  readonly life: number;
  /** BCP 47. */
  readonly locale: string;
  readonly texts: PageTexts;
}

/** Everything the page says, in the user's language; `{0}` stands for a value. */
export interface PageTexts {
  readonly title: string;
  readonly statuses: Readonly<Record<HealthStatus, string>>;
  readonly availability: string;
  readonly latency: string;
  readonly cpu: string;
  readonly memory: string;
  readonly disk: string;
  /** "{0} available" */
  readonly available: string;
  /** "{0} of {1}" */
  readonly ofLimit: string;
  /** "{0} ms" */
  readonly milliseconds: string;
  /** "from {0} to {1}, at the end {2}" */
  readonly spread: string;
  readonly nothing: string;
  readonly noHistory: string;
  readonly zoomIn: string;
  readonly zoomOut: string;
  readonly earlier: string;
  readonly later: string;
  readonly showAll: string;
  readonly asTable: string;
  readonly help: string;
  /** "{0} to {1}" */
  readonly range: string;
  readonly time: string;
  readonly status: string;
  readonly memoryLimit: string;
  readonly diskSize: string;
  /** "{0}: {1} measurements, the latest first" */
  readonly caption: string;
  /** "{0}: the latest {1} of {2} measurements" */
  readonly captionCut: string;
}
