import type { VSCodeInstance } from './instance.ts';
import type { Claim } from './operationContext.ts';
import { olderState, ownedByAnother } from './ownershipErrors.ts';

/** What a claim to an instance is worth, beside what its place says. */
export type Standing =
  | 'owner'
  /** Another swarm owns it now. */
  | 'another'
  /** The place knows of a later act than whoever claims it. */
  | 'older';

/** Pure: the one rule of who may change an instance (semantics 40, 41). What is older there is for the claim to change. */
export function standingOf(claim: Claim, there: Claim): Standing {
  if (there.swarmId !== claim.swarmId) return 'another';
  const isOlder = there.epoch > claim.epoch || generationOf(there) > generationOf(claim);
  return isOlder ? 'older' : 'owner';
}

/** Throws `ownedByAnother` or `olderState` unless who claims it, if anybody does, owns what is there. */
export function refuseUnowned(
  there: Claim & Pick<VSCodeInstance, 'id' | 'providerId' | 'owner' | 'adoptedAt'>,
  claim: Claim | undefined,
): void {
  const standing = claim === undefined ? 'owner' : standingOf(claim, there);
  if (standing === 'another') throw ownedByAnother(there.id, there.owner, there.adoptedAt);
  if (standing === 'older') throw olderState(there.id, there.providerId);
}

export const generationOf = ({ generation = 0 }: Pick<Claim, 'generation'>): number => generation;

/** Of the next change of what is there: higher than all that is known of it. */
export const nextGeneration = (there: Claim, claim: Claim = there): number =>
  Math.max(generationOf(there), generationOf(claim)) + 1;
