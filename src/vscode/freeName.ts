import { looksLike } from '../model/lookalike.ts';

/** The first of `dev`, `dev-2`, `dev-3`… that nobody has. */
export function freeName(takenNames: readonly string[], wanted = 'dev'): string {
  let name = wanted;
  for (let number = 2; takenNames.some(looksLike(name)); number++) name = `${wanted}-${number}`;
  return name;
}
