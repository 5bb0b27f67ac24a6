// Stands in for another machine: calls a local provider's methods one after the other, says in one line of JSON what came
// of each, and ends when its input does.
import { LocalProvider } from '../../src/providers/local/localProvider.ts';
import { loneProvider } from '../fakes/loneProvider.ts';
import { testMachine } from '../fakes/testMachine.ts';
import { outcomesOf } from './elsewhereCalls.ts';

const [config, environment, spec] = JSON.parse(process.argv[2] ?? '');
const provider = new LocalProvider(config, { ...environment, machine: testMachine });
const outcomes = await outcomesOf(loneProvider(provider), spec);
process.stdout.write(`${JSON.stringify(outcomes)}\n`);
process.stdin.resume().on('end', () => process.exit());
