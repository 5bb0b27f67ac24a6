/** The name of what can't run here, for whatever reason; without one the name stays as it is. */
export const notHere = (name: string, problem: string | undefined): string =>
  problem === undefined ? name : `${name} (not here: ${problem})`;
