// Begins each file of each project: names the process to the run of `npm test` that it belongs to, see `scripts/testRun.ts`.
import { appendFileSync } from 'node:fs';
import * as path from 'node:path';

const run = process.env.REMOTE_SWARM_TEST_RUN;
if (run !== undefined) appendFileSync(path.join(run, 'workers'), `${process.pid}\n`);
