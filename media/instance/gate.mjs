// @ts-check
// The first program of an instance in a machine of its own, on the node that the editor server brings.
//   gate.mjs <port> <server port> [launcher.mjs serve <argument>...]
// It puts what lies beside it (the token, the variables and which are secret) into the reserved folder, starts the editor server where it is
// told how, and ends with it. On <port> it lets in who has the token: to any port of the machine's loopback, and to
// run programs. Without an editor server it is there for the home alone, and ends when nobody needs it for a while.
// Anybody may ask for /version, which the editor server answers.
//
// A connection begins with an HTTP request for /remote-swarm/port/<n> or /remote-swarm/run, which is upgraded. The one
// is then joined to that port. The other carries frames of a letter, the length of 4 bytes, and the content. There:
// s what to run ({ argv, cwd }, first of all), i input, e the end of input, k kill. Back: o output, r errors, x the
// exit code, p nothing. Whatever was run is ended with all that it started when its connection is lost before its end.
import { spawn } from 'node:child_process';
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { connect } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';

const boot = import.meta.dirname;
const [port = '', serverPort = '', ...serve] = process.argv.slice(2);
const home = process.env.HOME ?? '';
const reserved = join(home, '..', 'reserved');
const markName = 'REMOTE_SWARM_RUN';
/** How long a home is held for the next who needs it, and output is waited for after an end; milliseconds. */
const idleTime = 60_000;
const outputGrace = 250;
/** What may wait to be sent, and the longest frame. */
const mostWaiting = 1024 * 1024;
const mostFrame = 16 * 1024 * 1024;
/** Between two looks whether somebody is still there who can't be listened to; milliseconds. */
const lookTime = 1_000;

for (const name of ['REMOTE_SWARM_TOKEN', 'REMOTE_SWARM_ENVIRONMENT']) delete process.env[name];
process.umask(0o022);
mkdirSync(home, { recursive: true });
mkdirSync(reserved, { recursive: true, mode: 0o700 });
if (serve.length > 0) {
  try {
    mkdirSync(join(home, 'workspace'), { recursive: true });
  } catch {
    // Whatever lies in its place is the person's own.
  }
  process.umask(0o077);
  for (const name of ['token', 'environment.json', 'instance.json'])
    copyFileSync(join(boot, name), join(reserved, name));
  process.umask(0o022);
}
const token = readFileSync(join(boot, 'token'), 'utf8').trim();

/** @param {string | undefined} given */
function isAllowed(given) {
  const [wanted, sent] = [Buffer.from(`Bearer ${token}`), Buffer.from(given ?? '')];
  return token !== '' && wanted.length === sent.length && timingSafeEqual(wanted, sent);
}

let connections = 0;
/** @type {NodeJS.Timeout | undefined} */
let idle;
function rest() {
  clearTimeout(idle);
  if (serve.length === 0 && connections === 0) idle = setTimeout(() => process.exit(0), idleTime);
}

const server = createServer((request, response) => {
  if (request.url !== '/version') return void response.writeHead(404).end();
  const asked = get({ host: '127.0.0.1', port: Number(serverPort), path: '/version', agent: false }, answer => {
    response.writeHead(answer.statusCode ?? 502);
    answer.pipe(response);
  });
  asked.on('error', () => response.writeHead(502).end());
  response.on('close', () => asked.destroy());
});
server.on('upgrade', (request, /** @type {import('node:net').Socket} */ socket, head) => {
  socket.on('error', () => socket.destroy());
  const [, portThere, run] = /^\/remote-swarm\/(?:port\/(\d+)|(run))$/.exec(request.url ?? '') ?? [];
  if (!isAllowed(request.headers.authorization)) return void refuse(socket, '403 Forbidden');
  if (run === undefined && !(Number(portThere) < 65_536)) return void refuse(socket, '404 Not Found');
  connections += 1;
  rest();
  socket.on('close', () => {
    connections -= 1;
    rest();
  });
  if (head.length > 0) socket.unshift(head);
  if (run) {
    accept(socket);
    readFrames(socket, new Program(socket));
  } else {
    joinTo(Number(portThere), socket);
  }
});

/** Whoever is refused need not hang up for it. @param {import('node:net').Socket} socket @param {string} status */
function refuse(socket, status) {
  socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  socket.destroySoon();
}
/** @param {import('node:net').Socket} socket */
const accept = socket =>
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: remote-swarm\r\n\r\n');

/** @param {number} portThere @param {import('node:net').Socket} socket */
function joinTo(portThere, socket, host = '127.0.0.1') {
  const there = connect({ host, port: portThere, allowHalfOpen: true });
  let reached = false;
  there.on('connect', () => {
    reached = true;
    accept(socket);
    socket.pipe(there);
    there.pipe(socket);
  });
  there.on('error', () => {
    if (reached) socket.destroy();
    else if (host === '127.0.0.1') joinTo(portThere, socket, '::1');
    else refuse(socket, '502 Bad Gateway');
  });
  socket.on('close', () => there.destroy());
}

/** @param {import('node:net').Socket} socket @param {Program} program */
function readFrames(socket, program) {
  /** @type {Buffer} */
  let waiting = Buffer.alloc(0);
  socket.on('data', (/** @type {Buffer} */ chunk) => {
    waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
    while (waiting.length >= 5) {
      const end = 5 + waiting.readUInt32BE(1);
      if (end > mostFrame) return void socket.destroy();
      if (waiting.length < end) return;
      program.take(String.fromCharCode(waiting[0] ?? 0), waiting.subarray(5, end));
      waiting = waiting.subarray(end);
    }
  });
  socket.on('close', () => program.kill());
}

class Program {
  /** @param {import('node:net').Socket} socket */
  constructor(socket) {
    this.socket = socket;
    this.mark = randomBytes(8).toString('hex');
    /** @type {import('node:child_process').ChildProcessWithoutNullStreams | undefined} */
    this.child = undefined;
    /** @type {NodeJS.Timeout | undefined} */
    this.looks = undefined;
    this.over = false;
    socket.on('close', () => clearInterval(this.looks));
  }

  /** @param {string} kind @param {Buffer} content */
  take(kind, content) {
    if (kind === 's') this.#try(content);
    else if (kind === 'k') this.kill();
    else if (kind === 'e') this.child?.stdin.end();
    else if (kind === 'i' && this.child?.stdin.writable && !this.child.stdin.write(content)) this.#hold();
  }

  /** What can't be run at all is an end of its own, and of nothing else. @param {Buffer} what */
  #try(what) {
    try {
      this.#start(JSON.parse(what.toString()));
    } catch (error) {
      this.#send('r', Buffer.from(`${error instanceof Error ? error.message : error}\n`));
      this.#finish(127);
    }
  }

  /** Nothing is read until there is room for it: then only what is written tells that the connection was lost. */
  #hold() {
    this.socket.pause();
    this.looks ??= setInterval(() => this.#send('p', Buffer.alloc(0)), lookTime);
  }

  #goOn() {
    clearInterval(this.looks);
    this.looks = undefined;
    this.socket.resume();
  }

  /** @param {{ argv: string[], cwd: string }} what */
  #start({ argv: [file = '', ...args], cwd }) {
    const child = spawn(file, args, { cwd, env: { ...process.env, [markName]: this.mark }, detached: true });
    this.child = child;
    for (const event of ['drain', 'error', 'close']) child.stdin.on(event, () => this.#goOn());
    for (const [kind, stream] of /** @type {const} */ ([
      ['o', child.stdout],
      ['r', child.stderr],
    ])) {
      stream.on('data', chunk => {
        this.#send(kind, chunk);
        if (this.socket.writableLength < mostWaiting) return;
        stream.pause();
        this.socket.once('drain', () => stream.resume());
      });
    }
    child.on('error', error => {
      this.#send('r', Buffer.from(`${file}: ${error.message}\n`));
      this.#finish(127);
    });
    child.on('exit', (code, signal) => {
      const exitCode = code ?? 128 + (signal ? constants.signals[signal] : 0);
      child.on('close', () => this.#finish(exitCode));
      // What it left running may hold its output open.
      setTimeout(() => this.#finish(exitCode), outputGrace);
    });
  }

  /** @param {number} exitCode */
  #finish(exitCode) {
    if (this.over) return;
    this.over = true;
    const code = Buffer.alloc(4);
    code.writeUInt32BE(exitCode);
    this.#send('x', code);
    this.socket.end();
  }

  /** @param {string} kind @param {Buffer} content */
  #send(kind, content) {
    const head = Buffer.alloc(5);
    head.write(kind, 'latin1');
    head.writeUInt32BE(content.length, 1);
    this.socket.write(head);
    this.socket.write(content);
  }

  /** Ends whatever bears the mark, until a look finds nothing more. */
  kill() {
    if (this.over) return;
    const mark = `${markName}=${this.mark}`;
    for (let round = 0, found = true; found && round < 50; round++) {
      found = false;
      for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name) && name !== String(process.pid))) {
        try {
          if (!readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(mark)) continue;
          process.kill(Number(pid), 'SIGKILL');
          found = true;
        } catch {
          // It has ended by itself, or is none of ours.
        }
      }
    }
  }
}

server.listen(Number(port), rest);
if (serve.length > 0) {
  const child = spawn(process.execPath, serve, { stdio: ['ignore', 'inherit', 'inherit'] });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  child.on('error', () => process.exit(127));
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.on(signal, () => child.kill(signal));
} else {
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.on(signal, () => process.exit(0));
}
