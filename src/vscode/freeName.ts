/** The first of `dev`, `dev-2`, `dev-3`… that nobody has. */
export function freeName(takenNames: readonly string[], wanted = 'dev'): string {
  const taken = new Set(takenNames.map(name => name.toLowerCase()));
  let name = wanted;
  for (let number = 2; taken.has(name.toLowerCase()); number++) name = `${wanted}-${number}`;
  return name;
}
