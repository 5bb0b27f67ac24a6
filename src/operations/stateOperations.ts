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
  question: (t, _input, _targets, { claim }) => ({
    title: t('Take over the state of this swarm from {0}?', hostOf(claim.hindrance)),
    detail: t(
      'Windows on {0} can only read it from then on. Instances whose editor server runs there go on running, are shown so here, and are left alone until they are stopped there, or taken over one by one.',
      hostOf(claim.hindrance),
    ),
    action: t('Take Over'),
  }),
  run: async ({ claim }) => {
    await claim.takeOver();
    return {};
  },
});

const hostOf = (hindrance: { why: string; host?: string } | undefined) => hindrance?.host ?? '';
