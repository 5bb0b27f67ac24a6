import type { SwarmError } from './errors.ts';
import { stateElsewhere, stateMoved } from './machineErrors.ts';

/** Why nothing may be changed in a state directory from here: it is another machine's, or on its way elsewhere. */
export type StateHindrance =
  /** `since`: ISO time, by that machine's clock. */
  | { readonly why: 'elsewhere'; readonly host: string; readonly since: string }
  | { readonly why: 'moving' | 'moved'; readonly to: string };

/** What whoever wanted to change something is told. */
export const refusalOf = (hindrance: StateHindrance): SwarmError =>
  hindrance.why === 'elsewhere' ? stateElsewhere(hindrance.host) : stateMoved(hindrance.to);
