// `npm run soak -- <suite> [--shard i/n] [--minutes m]`: a suite again and again, each round in a process of its own;
// the first one takes the long forms of its tests.
// What is done stands in test/results/soak-<suite>-<i>of<n>.json; a run that was cut off goes on where it was.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { projectRoot } from './editorHost.ts';
import { show } from './machine.ts';

/** Rounds of a suite, all shards together. */
const suites: Readonly<Record<string, number>> = {
  stalls: 4,
  unit: 200,
  contract: 60,
  crash: 40,
  engine: 20,
  workbench: 10,
};

const Round = z.object({ round: z.int(), exitCode: z.int(), seconds: z.number(), at: z.iso.datetime() });
const Results = z.object({ suite: z.string(), shard: z.string(), rounds: z.array(Round) });

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { shard: { type: 'string', default: '1/1' }, minutes: { type: 'string', default: '50' } },
});
const [suite = ''] = positionals;
const rounds = suites[suite];
const [shard = 0, shards = 0] = values.shard.split('/').map(Number);
if (rounds === undefined || !(shard >= 1 && shard <= shards)) {
  console.error(`Usage: npm run soak -- <${Object.keys(suites).join('|')}> [--shard i/n] [--minutes m]`);
  process.exit(2);
}

const folder = path.join(projectRoot, 'test', 'results');
const file = path.join(folder, `soak-${suite}-${shard}of${shards}.json`);
mkdirSync(folder, { recursive: true });
const results = existsSync(file)
  ? Results.parse(JSON.parse(readFileSync(file, 'utf8')))
  : { suite, shard: values.shard, rounds: [] };

const deadline = performance.now() + Number(values.minutes) * 60_000;
for (let round = shard; round <= rounds; round += shards) {
  if (results.rounds.some(done => done.round === round)) continue;
  if (performance.now() > deadline) break;
  console.log(`${suite}, round ${round} of ${rounds}`);
  const began = performance.now();
  const args = ['run', '--project', `${suite}*`, '--sequence.shuffle', `--sequence.seed=${round}`];
  // The long forms take minutes each: they are run once, beside many rounds of the short ones.
  const env = round === 1 ? { ...process.env, REMOTE_SWARM_SOAK: '1' } : process.env;
  const exitCode = await show('vitest', args, env);
  const seconds = Math.round((performance.now() - began) / 1_000);
  results.rounds.push({ round, exitCode, seconds, at: new Date().toISOString() });
  writeFileSync(file, JSON.stringify(results, undefined, 2));
}
const failed = results.rounds.filter(({ exitCode }) => exitCode !== 0);
const due = Math.floor((rounds - shard) / shards) + 1;
console.log(`${results.rounds.length} of ${due} rounds done, ${failed.length} failed; see ${file}`);
process.exitCode = failed.length > 0 ? 1 : 0;
