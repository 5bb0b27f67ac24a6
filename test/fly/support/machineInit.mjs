// @ts-check
// What starts a machine of the stand-in, in mounts, processes and a network of its own:
//   machineInit.mjs <plan.json>
// The machine sees this computer's files, with its own changes on top that are gone after it, its volume, and the files
// that its config names. What it prints, and how it ends, is told to the stand-in, which tells it what to signal.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';

/** @typedef {{ folder: string, volume: string, mountPath: string, exec: string[], env: Record<string, string>, files: { path: string, content: string, mode: number }[], binds: Record<string, string>, port: number }} Plan */
/** @type {Plan} */
const plan = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const at = (/** @type {string[]} */ ...names) => join(plan.folder, ...names);
const run = (/** @type {string} */ file, /** @type {string[]} */ ...args) =>
  execFileSync(file, args, { stdio: 'pipe' });

mkdirSync(at('layer'), { recursive: true });
run('mount', '--make-rprivate', '/');
run('mount', '-t', 'tmpfs', 'tmpfs', at('layer'));
for (const name of ['up', 'work', 'root']) mkdirSync(at('layer', name));
const root = at('layer', 'root');
const layers = `lowerdir=/,upperdir=${at('layer', 'up')},workdir=${at('layer', 'work')}`;
run('mount', '-t', 'overlay', 'overlay', '-o', layers, root);
run('mount', '--rbind', '/dev', join(root, 'dev'));
run('mount', '-t', 'proc', 'proc', join(root, 'proc'));
run('ip', 'link', 'set', 'lo', 'up');
mkdirSync(join(root, plan.mountPath), { recursive: true });
run('mount', '--bind', plan.volume, join(root, plan.mountPath));
for (const [there, here] of Object.entries(plan.binds)) {
  mkdirSync(dirname(join(root, there)), { recursive: true });
  if (statSync(here).isDirectory()) mkdirSync(join(root, there));
  else writeFileSync(join(root, there), '');
  run('mount', '--bind', here, join(root, there));
}
for (const { path, content, mode } of plan.files) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), Buffer.from(content, 'base64'));
  chmodSync(join(root, path), mode);
}

const cloud = connect(at('cloud.sock'));
const tell = (/** @type {unknown} */ message) => cloud.write(`${JSON.stringify(message)}\n`);
const edge = createServer({ allowHalfOpen: true }, socket => {
  const there = connect({ host: '127.0.0.1', port: plan.port, allowHalfOpen: true });
  socket.pipe(there).pipe(socket);
  for (const end of [socket, there]) {
    end.on('error', () => {
      socket.destroy();
      there.destroy();
    });
  }
});
edge.listen(at('edge.sock'), () => {
  const main = spawn('chroot', [root, ...plan.exec], { env: plan.env, stdio: ['ignore', 'pipe', 'pipe'] });
  tell({ started: true });
  for (const stream of [main.stdout, main.stderr]) {
    let rest = '';
    stream.setEncoding('utf8').on('data', text => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) tell({ line });
    });
  }
  main.on('exit', (code, signal) => tell({ exit: code ?? 128 + (signal ? constants.signals[signal] : 0) }));
  cloud.setEncoding('utf8').on('data', text => {
    for (const signal of String(text).trim().split('\n')) {
      const [whom, name] = signal.split(' ');
      if (whom === 'server') signalServer(/** @type {NodeJS.Signals} */ (name));
      else main.kill(/** @type {NodeJS.Signals} */ (signal));
    }
  });
});
cloud.on('close', () => process.exit(0));

/** @param {NodeJS.Signals} signal */
function signalServer(signal) {
  for (const pid of readdirSync(join(root, 'proc')).filter(name => /^\d+$/.test(name))) {
    try {
      const [file = '', , mode] = readFileSync(join(root, 'proc', pid, 'cmdline'), 'utf8').split('\0');
      if (file.endsWith('/node') && mode === 'serve') process.kill(Number(pid), signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}
