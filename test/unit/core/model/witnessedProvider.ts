import type { MemoryCall, MemoryPlace } from '../../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../../fakes/memoryProvider.ts';
import { through } from '../../../fakes/through.ts';
import type { PlaceName } from './modelWorld.ts';
import type { Witness } from './witness.ts';

/** Calls on one instance that change it, or reach into it. */
const acts = [
  'probe',
  'createInstance',
  'startInstance',
  'stopInstance',
  'deleteInstance',
  'updateInstance',
  'recreateInstance',
  'trashInstance',
  'restoreInstance',
  'prepareIncoming',
  'setRole',
] as const satisfies readonly MemoryCall[];
export type Act = (typeof acts)[number];

/** A provider on a place, as one window reaches it; the witness sees every act of it. */
export class WitnessedProvider extends MemoryProvider {
  constructor(place: MemoryPlace, id: PlaceName, witness: Witness, refuseDead: () => void) {
    super(through(place, refuseDead), { id, capabilities: { maxInstancesPerUser: 100 } });
    for (const act of acts) {
      const owner: object = act in this ? this : this.abilities;
      const call: unknown = Reflect.get(owner, act);
      if (typeof call !== 'function') throw new TypeError(`"${act}" is no call`);
      const watched = (target: unknown, ...rest: unknown[]) => {
        refuseDead();
        witness.act(act, id, typeof target === 'string' ? target : idIn(target));
        return Reflect.apply(call, owner, [target, ...rest]);
      };
      Object.defineProperty(owner, act, { value: watched });
    }
  }
}

/** Of what is to be made. */
const idIn = (spec: unknown) => (spec as { identity: { id: string } }).identity.id;
