import { SwarmError } from './errors.ts';

/** `host` is where its server was started; whether it runs there can't be told from here. */
export const runsElsewhere = (instanceId: string, host: string) =>
  new SwarmError({
    family: 'state',
    code: 'runs-elsewhere',
    message: `The instance "${instanceId}" runs on ${host}, and not on this machine or in this container.`,
    hint: `Stop it on ${host}. If that is gone for good, a person takes it over with "Take Over Instance".`,
  });

export const stateElsewhere = (host: string) =>
  new SwarmError({
    family: 'state',
    code: 'state-elsewhere',
    message: `The state of this swarm is in use on ${host}, and can only be read here.`,
    hint: 'Work there, or take it over with "Take Over State Directory", which only a person can. Nothing was changed.',
  });

export const stateMoved = (to: string) =>
  new SwarmError({
    family: 'state',
    code: 'state-moved',
    message: `The state of this swarm is moved to ${to}.`,
    hint: 'Set remoteSwarm.stateDirectory to that directory. Nothing was changed here.',
    retryable: true,
  });

/** `problem` names what stands against it. */
export const stateUnmovable = (from: string, to: string, problem: string) =>
  new SwarmError({
    family: 'state',
    code: 'state-unmovable',
    message: `The state in ${from} cannot be moved to ${to}: ${problem}.`,
    hint: 'Set remoteSwarm.stateDirectory to an empty directory outside the old one, or put it back to the old one.',
  });
