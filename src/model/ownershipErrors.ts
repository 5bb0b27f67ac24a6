import { SwarmError } from './errors.ts';

/** `adoptedAt` is an ISO time. */
export const ownedByAnother = (
  instanceId: string,
  { user, machine }: { readonly user: string; readonly machine: string },
  adoptedAt: string | undefined,
) =>
  new SwarmError({
    family: 'state',
    code: 'owned-by-another',
    message: `The instance "${instanceId}" is no longer this swarm's: ${user}@${machine} has adopted it${adoptedAt === undefined ? '' : ` on ${adoptedAt.slice(0, 10)}`}. Nothing was done.`,
    hint: 'Forget it here, which touches nothing of it, or ask them for it.',
  });

export const olderState = (instanceId: string, providerId: string) =>
  new SwarmError({
    family: 'state',
    code: 'older-state',
    message: `What this swarm knows of the instance "${instanceId}" is older than what "${providerId}" says. Nothing was done.`,
    hint: 'A person decides in its row: accept what the provider says, or do what this state says.',
  });
