// `npm test [-- --project <name>…]`: every suite, with what it needs installed first.
import { readFileSync, rmSync } from 'node:fs';
import * as path from 'node:path';
import * as z from 'zod';
import { installEditorServer } from '../src/providers/editorServerInstaller.ts';
import { editorServerDirectory, writableFolder } from './editorHost.ts';
import { visitEngineHere } from './guestEngine.ts';
import { desktopSkipped, provideCommands, show } from './machine.ts';
import { TestRun } from './testRun.ts';

const results = path.join(await writableFolder('test', 'results'), 'vitest.json');

/** What we read of vitest's JSON report. */
const Report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
});

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
const ctx = { signal: stop.signal, report: (message: string) => console.log(`${message}…`) };

const absent = await provideCommands();
for (const command of absent) console.log(`Not on this machine: ${command}. The suites that need it are skipped.`);
await installEditorServer(editorServerDirectory, ctx);
// Most of what a suite starts are programs of Node, again and again the same.
process.env.NODE_COMPILE_CACHE ??= await writableFolder('.runtime', 'compile-cache');
// A run that dies before its report must not be counted by the last one's.
rmSync(results, { force: true });
const run = await TestRun.begin();
const checked =
  process.argv.length > 2 || (await show('npm', ['run', '--silent', 'check'], run.env, stop.signal)) === 0;
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${results}`];
const args = ['run', '--passWithNoTests', ...reporters, ...process.argv.slice(2)];
const leaveEngine = await visitEngineHere();
const code = stop.signal.aborted ? 1 : await show('vitest', args, run.env, stop.signal);
const temporary = run.temporary();
if (temporary.length > 0) console.log(`Removed with the temporary folder of the run: ${temporary.join(', ')}`);
const left = [...(await leaveEngine()), ...(await run.remove())];
for (const what of left) console.log(`failed: the run has left behind: ${what}`);
if (stop.signal.aborted) {
  console.log('Interrupted: what the run had started is ended, and what it had made is removed.');
  process.exit(130);
}

const { testResults } = Report.parse(JSON.parse(readFileSync(results, 'utf8')));
const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
const passed = tests.filter(({ status }) => status === 'passed').length;
const skipped = tests.filter(({ status }) => status !== 'passed' && status !== 'failed');
// A file that could not even be loaded has no tests to count.
const broken = testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
);
const failed =
  tests.filter(({ status }) => status === 'failed').length + broken.length + (checked ? 0 : 1) + left.length;

for (const { fullName } of skipped) console.log(`skipped: ${fullName}`);
console.log(`skipped: ${desktopSkipped}`);
if (!checked) console.log('failed: npm run check');
const forbidden = process.env.CI ? skipped.length : 0;
if (forbidden > 0) console.log('With CI set nothing may be skipped but the desktop run.');
console.log(`${passed} passed, ${failed + forbidden} failed, ${skipped.length - forbidden + 1} skipped`);
process.exitCode = code !== 0 || failed + forbidden > 0 ? 1 : 0;
