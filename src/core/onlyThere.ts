import { denied } from '../model/errors.ts';

/** Names of those secret variables whose values only the provider knows, so that they are lost with its copy. */
export const onlyThere = (secretEnv: readonly string[], known: Readonly<Record<string, string>>): string[] =>
  secretEnv.filter(name => !Object.hasOwn(known, name));

/** Throws `denied`: what is lost so, no program decides. */
export function refuseForgetting(what: string, lost: readonly string[], hint: string): void {
  if (lost.length === 0) return;
  throw denied(what, `only its provider knows the value of ${lost.join(', ')}, which nobody could bring back`, hint);
}
