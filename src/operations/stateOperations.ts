import * as z from 'zod';
import { defineOperation } from './operation.ts';

/** For a state directory that another machine uses, or used: only a person knows whether it still does (semantics 39). */
export const takeOverState = defineOperation({
  name: 'take_over_state',
  title: 'Take Over State Directory',
  description: 'Makes this machine the one that changes the state of the swarm, which another one has used until now.',
  effect: 'change',
  audience: 'person',
  alwaysAsks: true,
  worksElsewhere: true,
  destroys: 'machine',
  reveals: 'nothing',
  undo: 'machine',
  input: z.strictObject({}),
  output: z.strictObject({}),
  look: ({ claim }) => claim.hindrance,
  question: (t, _input, _targets, _swarm, seen) => ({
    title: t('Take over the state of this swarm from {0}?', hostOf(seen)),
    detail: t(
      'Windows on {0} can only read it from then on. Instances whose editor server runs there go on running, are shown so here, and are left alone until they are stopped there, or taken over one by one.',
      hostOf(seen),
    ),
    action: t('Take Over'),
  }),
  run: async ({ claim }, _input, _ctx, seen) => {
    await claim.takeOver(seen);
    return {};
  },
});

const hostOf = (hindrance: { why: string; host?: string } | undefined) => hindrance?.host ?? '';
