import { readMachine } from '../../src/storage/thisMachine.ts';

/** The machine that the tests run on, as it is. */
export const testMachine = await readMachine();
