// Stands in for a window that moves the state of a swarm, or opens a directory: ends by SIGKILL at the report named.
import { quietContext } from '../../src/model/operationContext.ts';
import { moveState, settleMove } from '../../src/storage/moveState.ts';
import { testMachine } from '../fakes/testMachine.ts';

const [does, from, to, entries, killAt] = JSON.parse(process.argv[2] ?? '');
const seen: string[] = [];
const ctx = {
  ...quietContext,
  report: (step: string) => {
    seen.push(step);
    if (step === killAt) process.kill(process.pid, 'SIGKILL');
  },
};
const move = { entries, machine: testMachine };
await (does === 'move' ? moveState(move, from, to, ctx) : settleMove(move, to, ctx));
process.stdout.write(JSON.stringify(seen));
