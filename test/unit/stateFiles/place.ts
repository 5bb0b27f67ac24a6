import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect } from 'vitest';
import type * as z from 'zod';
import type { Around, Hostile } from '../hostileInput.ts';

/** What a field may hold all the same: whatever is done with it is safe for any of it. */
export type Freedom = Hostile | 'large' | 'type';

/** What the extension made of a file. */
export interface Outcome {
  /** What it took from it; undefined when it took nothing. */
  readonly value: unknown;
  /** What it says of it. */
  readonly said: string | undefined;
}

/** A kind of file that the extension reads, and how it reads it. */
export interface FilePlace {
  /** As the law names it: where such a file lies. */
  readonly file: string;
  readonly schema: z.ZodType;
  /** A valid value with every field there is. */
  readonly sample: Around;
  readonly free: Readonly<Record<string, readonly Freedom[]>>;
  /** Fields that nobody knows are left out instead of refused: the file is forgotten soon. */
  readonly ignoresOthers?: true;
  /** Whether what is said names the field, or only the file. */
  readonly namesFields: boolean;
  /**
   * Lays the bytes there, beside whole files of its kind, and reads all of it as the extension does. Asserts that the
   * bytes are still somewhere, that the others were read, and that nothing else was made, changed or removed.
   */
  read(bytes: Buffer): Promise<Outcome>;
}

/** Every file below a folder, with one character a byte; folders end in a slash. */
export function filesBelow(directory: string): Record<string, string> {
  const entries = fs.readdirSync(directory, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    entries.map(entry => {
      const file = path.join(entry.parentPath, entry.name);
      const name = path.relative(directory, file);
      return entry.isFile() ? [name, fs.readFileSync(file, 'latin1')] : [`${name}/`, ''];
    }),
  );
}

/** Nothing that a screen would hide or reorder, and no end of it. */
export function expectReadable(text: string | undefined): void {
  expect(text).toMatch(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+$/u);
  expect(text?.length).toBeLessThan(4_500);
}

export const latin = (bytes: Buffer) => bytes.toString('latin1');
