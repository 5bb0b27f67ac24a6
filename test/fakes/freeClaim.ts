import { Emitter } from '../../src/model/event.ts';
import type { StateClaim } from '../../src/model/stateStore.ts';

/** Of a state that no other machine wants. */
export const freeClaim: StateClaim = {
  hindrance: undefined,
  onDidChange: new Emitter<void>().event,
  takeOver: async () => {},
};
