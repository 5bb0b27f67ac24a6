import type { InstanceMachine } from './instanceMachine.ts';

/** How long the list of an organization may be behind; milliseconds. */
const lag = 20_000;

/** What was seen of single machines a moment ago, which a list may not know yet. */
export class RecentMachines {
  readonly #seen = new Map<string, { readonly at: number; readonly machine: InstanceMachine | undefined }>();

  /** It was looked at now; undefined when there was none. */
  saw(instanceId: string, machine: InstanceMachine | undefined): void {
    this.#seen.set(instanceId, { at: performance.now(), machine });
  }

  /** The list, with what was seen of a machine in place of what is older; `missing` are those that it does not have. */
  mend(rows: readonly InstanceMachine[]): { list: InstanceMachine[]; missing: InstanceMachine[] } {
    for (const [id, { at }] of this.#seen) if (performance.now() - at > lag) this.#seen.delete(id);
    const list = rows.flatMap(row => {
      const seen = this.#seen.get(row.id);
      if (!seen || row.away || (seen.machine && seen.machine.updatedAt < row.updatedAt)) return [row];
      return seen.machine ? [seen.machine] : [];
    });
    const listed = new Set(rows.map(({ id }) => id));
    const missing = [...this.#seen].flatMap(([id, { machine }]) => (machine && !listed.has(id) ? [machine] : []));
    return { list, missing };
  }
}
