// @ts-check
// Runs inside an instance, on the node that the editor server brings.
//   launcher.mjs serve <reserved> <server-main.js> <argument>...   the editor server, in this process
//   launcher.mjs exec  <reserved> <file> <argument>...             a command, with the instance's variables
// The variables lie in <reserved>/environment.json, so that neither the container's environment nor any argument holds
// them, and a change takes effect at the next start. Of the token nothing gets into the log. With
// REMOTE_SWARM_LOG_TIMES set each line of the log begins with its time, for places that keep the log in a plain file.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [mode, reserved = '', file = '', ...args] = process.argv.slice(2);
try {
  Object.assign(process.env, JSON.parse(readFileSync(join(reserved, 'environment.json'), 'utf8')));
} catch {
  // The error's own words would quote what is in the file.
  process.stderr.write('launcher: the file reserved/environment.json cannot be read\n');
  process.exit(2);
}

if (mode === 'serve') {
  const token = readFileSync(join(reserved, 'token'), 'utf8').trim();
  if (token === '') {
    process.stderr.write('launcher: the file reserved/token is empty\n');
    process.exit(2);
  }
  const times = process.env.REMOTE_SWARM_LOG_TIMES !== undefined;
  delete process.env.REMOTE_SWARM_LOG_TIMES;
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream);
    let lineBegins = true;
    stream.write = /** @type {typeof stream.write} */ (
      (/** @type {string | Uint8Array} */ chunk, /** @type {any[]} */ ...rest) => {
        let text = (typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()).replaceAll(token, '***');
        if (text === '') return write(text, ...rest);
        const ends = text.endsWith('\n');
        if (times) {
          const time = `${new Date().toISOString()} `;
          text = (lineBegins ? time : '') + text.replaceAll(/\n(?!$)/g, `\n${time}`);
        }
        lineBegins = ends;
        return write(text, ...rest);
      }
    );
  }
  process.argv = [process.argv0, file, ...args];
  await import(pathToFileURL(file).href);
} else if (mode === 'exec') {
  const child = spawn(file, args, { stdio: 'inherit' });
  child.on('error', error => {
    process.stderr.write(`${file}: ${error.message}\n`);
    process.exitCode = 127;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (signal ? constants.signals[signal] : 0);
  });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
    process.on(signal, () => child.kill(signal));
} else {
  process.stderr.write(`launcher: unknown mode ${mode}\n`);
  process.exitCode = 2;
}
