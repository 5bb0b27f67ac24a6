// @ts-check
// Runs inside an instance, on the node that the editor server brings.
//   launcher.mjs serve <reserved> <server-main.js> <argument>...   the editor server, in this process
//   launcher.mjs exec  <reserved> <file> <argument>...             a command, with the instance's variables
// The variables lie in <reserved>/environment.json, so that neither the container's environment nor any argument holds
// them, and a change takes effect at the next start; <reserved>/instance.json tells which of them are secret. Of the
// token nothing gets into the log. With REMOTE_SWARM_LOG_TIMES set each line of the log begins with its time, for
// places that keep the log in a plain file.
import childProcess from 'node:child_process';
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { constants } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * Variables by which Node, its libraries or the loader start otherwise, or not at all. Terminals and commands get them;
 * the editor server, which has a node and libraries of its own, is started without them.
 */
export const heldBack = [
  ...['NODE_OPTIONS', 'NODE_PATH', 'NODE_ICU_DATA', 'NODE_V8_COVERAGE', 'NODE_REPL_EXTERNAL_MODULE', 'NODE_DEBUG'],
  ...['NODE_PRESERVE_SYMLINKS', 'NODE_PRESERVE_SYMLINKS_MAIN', 'NODE_TLS_REJECT_UNAUTHORIZED', 'NODE_CHANNEL_FD'],
  ...['ELECTRON_RUN_AS_NODE', 'OPENSSL_CONF', 'OPENSSL_MODULES', 'UV_THREADPOOL_SIZE', 'GCONV_PATH'],
  ...['LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT', 'LD_BIND_NOW', 'LD_DEBUG', 'GLIBC_TUNABLES', 'MALLOC_CHECK_'],
];
const heldBackFor = 'REMOTE_SWARM_HELD_BACK_';
/** Under which name whoever starts the launcher hands it a variable that is held back. @param {string} name */
export const handedOver = name => `${heldBackFor}${name}`;

const reference =
  /\\\$(?=[A-Za-z_{])|\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::([-+])([^{}$]*))?\}|\{containerEnv:([A-Za-z_]\w*)(?::([^{}$]*))?\})/g;

/** Pure: the names that a value refers to. @param {string} value */
export const referencesIn = value =>
  [...value.matchAll(reference)].flatMap(([whole, bare, braced, , , container]) =>
    whole.startsWith('\\') ? [] : [bare ?? braced ?? container ?? ''],
  );

/**
 * Pure: a value with its references to what is there before, as Docker and devcontainer.json have them: `$NAME`,
 * `${NAME}`, `${NAME:-else}`, `${NAME:+then}`, `${containerEnv:NAME}`, `${containerEnv:NAME:else}`; a backslash keeps a
 * `$` as it is. Of a name that is not there `$NAME` and `${NAME}` stay, since they may be part of any text.
 * @param {string} value @param {Readonly<Record<string, string>>} before
 */
export function expanded(value, before) {
  return value.replace(reference, (whole, bare, braced, sign, word, container, orElse) => {
    if (whole.startsWith('\\')) return '$';
    const name = bare ?? braced ?? container;
    const known = Object.hasOwn(before, name) ? before[name] : undefined;
    if (sign === '+') return known ? word : '';
    if (sign === '-') return known || word;
    if (container !== undefined) return known ?? orElse ?? '';
    return known ?? whole;
  });
}

/**
 * Pure: the variables of everything in an instance, of what is there before and of its own. Values of secret ones are
 * taken as they are, and all of them where nobody knows which those are. Where nothing says how text is encoded, it is UTF-8.
 * @param {Readonly<Record<string, string>>} given @param {Readonly<Record<string, string>>} own
 * @param {readonly string[]} [secret]
 */
export function environmentOf(given, own, secret = Object.keys(own)) {
  /** @type {Record<string, string>} */
  const before = {};
  for (const [name, value] of Object.entries(given))
    before[name.startsWith(heldBackFor) ? name.slice(heldBackFor.length) : name] = value;
  const env = { ...before };
  for (const [name, value] of Object.entries(own)) env[name] = secret.includes(name) ? value : expanded(value, before);
  const utf8 = process.platform === 'darwin' ? 'en_US.UTF-8' : 'C.UTF-8';
  return env.LC_ALL || env.LC_CTYPE || env.LANG ? env : { ...env, LANG: utf8 };
}

/**
 * Pure: what a login shell made of PATH, with what it left out, each where it was. `/etc/profile` of many a
 * distribution begins anew, and so loses what an image or the instance has put there.
 * @param {string} shells @param {string} own
 */
export function mergedPath(shells, own) {
  const merged = shells.split(':');
  let next = 0;
  for (const folder of own.split(':')) {
    const at = merged.indexOf(folder);
    if (at < 0) merged.splice(next++, 0, folder);
    else next = at + 1;
  }
  return merged.join(':');
}

/** Has each process of the editor server start without what is held back, and with the whole PATH. */
function guardServer() {
  const { fork, spawn } = childProcess;
  /** @param {NodeJS.ProcessEnv} env */
  const guarded = env => {
    const { PATH: own = '' } = process.env;
    const rest = Object.fromEntries(Object.entries(env).filter(([name]) => !heldBack.includes(name)));
    return { ...rest, PATH: mergedPath(env.PATH ?? '', own) };
  };
  childProcess.fork = (file, /** @type {any} */ ...more) => {
    const [args, options = {}] = Array.isArray(more[0]) ? more : [[], more[0] ?? more[1]];
    return fork(file, args, { ...options, env: guarded(options.env ?? process.env) });
  };
  // It asks a login shell for its variables, by the node that it runs on, and gives them to terminals and extensions.
  const own = JSON.stringify(process.env.PATH ?? '');
  const program = `process.env.PATH = (${mergedPath})(process.env.PATH ?? "", ${own});`;
  const asks = `'${process.execPath}'`;
  const asksForAll = `${asks} --import 'data:text/javascript,${encodeURIComponent(program).replaceAll("'", '%27')}'`;
  childProcess.spawn = /** @type {typeof spawn} */ (
    (/** @type {string} */ file, /** @type {any} */ args, /** @type {any} */ options) => {
      if (!options?.env?.VSCODE_RESOLVING_ENVIRONMENT) return spawn(file, args, options);
      const all = args.map((/** @type {string} */ arg) => arg.replace(asks, () => asksForAll));
      return spawn(file, all, { ...options, env: guarded(options.env) });
    }
  );
  syncBuiltinESMExports();
}

/** @param {string} reserved */
function readVariables(reserved) {
  const read = (/** @type {string} */ name) => JSON.parse(readFileSync(join(reserved, name), 'utf8'));
  let own;
  try {
    own = read('environment.json');
  } catch {
    // The error's own words would quote what is in the file.
    process.stderr.write('launcher: the file reserved/environment.json cannot be read\n');
    process.exit(2);
  }
  try {
    return { own, secret: read('instance.json').config.secretEnv };
  } catch {
    return { own };
  }
}

/** @param {string} reserved @param {string} file @param {string[]} args */
function serve(reserved, file, args) {
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
  guardServer();
  return import(pathToFileURL(file).href);
}

/** @param {string} file @param {string[]} args */
function run(file, args) {
  const child = childProcess.spawn(file, args, { stdio: 'inherit' });
  child.on('error', error => {
    process.stderr.write(`${file}: ${error.message}\n`);
    process.exitCode = 127;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (signal ? constants.signals[signal] : 0);
  });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
    process.on(signal, () => child.kill(signal));
}

// Others import what it knows.
if (/[\\/]launcher\.mjs$/.test(process.argv[1] ?? '')) {
  const [mode, reserved = '', file = '', ...args] = process.argv.slice(2);
  const { own, secret } = readVariables(reserved);
  const given = /** @type {Record<string, string>} */ ({ ...process.env });
  for (const name of heldBack) delete process.env[handedOver(name)];
  Object.assign(process.env, environmentOf(given, own, secret));
  if (mode === 'serve') serve(reserved, file, args);
  else if (mode === 'exec') run(file, args);
  else {
    process.stderr.write(`launcher: unknown mode ${mode}\n`);
    process.exitCode = 2;
  }
}
