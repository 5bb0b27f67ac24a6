/** One number that the bench measured, and what it is held against. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The number that it should reach, or stay below. */
  readonly goal?: number;
  readonly better: 'higher' | 'lower';
  /** What the number is compared with, when it is a comparison. */
  readonly against?: string;
}

/** Whether the goal is met; true where there is none. */
export const meetsGoal = ({ value, goal, better }: Figure) =>
  goal === undefined || (better === 'lower' ? value <= goal : value >= goal);

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
