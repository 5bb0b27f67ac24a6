// @ts-check
// Runs beside a home, whose folder is the working directory, on the node that the editor server brings.
//   home.mjs digest   writes what the home holds: one JSON line an entry, then one with the digest of all
//   home.mjs export   reads such lines of another home, and writes what makes that home equal with this one
//   home.mjs import   reads what an export wrote, and makes this home so
// Names are bytes: here they are strings of which each character stands for one byte. Folders are held open and entered
// by their descriptors where the system can, so that no link leads out of the home and paths may have any length.
// Everything is read and written in one order, depth first, so that nothing is held in memory but the way down.
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';

/** @typedef {{ path: string, type: 'd' | 'f' | 'l' | 'h', mode: number, size: number, mtime: string, own: [number, number] | null, target: string, sha: string }} Entry */

const chunkSize = 1024 * 1024;
/** Runs of zeros that are left out of files which have holes. */
const holeSize = 64 * 1024;
const zeros = Buffer.alloc(holeSize);
const namedAtMost = 20;
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_WRONLY, O_CREAT, O_EXCL } = fs.constants;
const byDescriptor = fs.existsSync('/proc/self/fd');

const bytesOf = (/** @type {string} */ text) => Buffer.from(text, 'latin1');
const textOf = (/** @type {Uint8Array} */ bytes) => Buffer.from(bytes).toString('latin1');
/** Sorts a folder before what is in it, and that before its next sibling. */
const orderOf = (/** @type {string} */ path) => (path === '.' ? '' : path.replaceAll('/', '\0'));
const nameOf = (/** @type {string} */ path) => path.slice(path.lastIndexOf('/') + 1);

/** A folder that is open. */
class Folder {
  constructor(/** @type {Buffer} */ at, /** @type {string} */ path) {
    this.path = path;
    this.fd = fs.openSync(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    this.base = byDescriptor ? bytesOf(`/proc/self/fd/${this.fd}`) : at;
  }

  at(/** @type {string} */ name) {
    return Buffer.concat([this.base, bytesOf(`/${name}`)]);
  }

  pathOf(/** @type {string} */ name) {
    return this.path === '.' ? name : `${this.path}/${name}`;
  }

  close() {
    fs.closeSync(this.fd);
  }
}

const root = () => new Folder(bytesOf('.'), '.');
const homeOwner = fs.lstatSync('.');
/** @type {{ count: number, names: string[] }} Sockets, pipes and devices, which do not travel. */
const skipped = { count: 0, names: [] };

/** What is gone by the time it is looked at was not there. */
function present(/** @type {() => any} */ look) {
  try {
    return look();
  } catch (error) {
    // Where it was there may be something else by now.
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(/** @type {NodeJS.ErrnoException} */ (error).code ?? ''))
      return undefined;
    throw error;
  }
}

/**
 * Every entry, a folder before what is in it; `sha` is filled in by whoever reads the file.
 * @returns {Generator<{ entry: Entry, at: Buffer, sparse: boolean }>}
 */
function* walk(/** @type {Folder} */ folder, links = new Map()) {
  const names = fs.readdirSync(folder.base, { encoding: 'buffer' }).map(textOf);
  for (const name of names.sort()) {
    const at = folder.at(name);
    const stat = present(() => fs.lstatSync(at, { bigint: true }));
    if (!stat) continue;
    const path = folder.pathOf(name);
    const type = stat.isDirectory() ? 'd' : stat.isFile() ? 'f' : stat.isSymbolicLink() ? 'l' : undefined;
    if (type === undefined) {
      skipped.count++;
      if (skipped.names.length < namedAtMost) skipped.names.push(path);
      continue;
    }
    const entry = entryOf(path, type, stat);
    if (type === 'l') {
      const target = present(() => fs.readlinkSync(at, { encoding: 'buffer' }));
      if (target === undefined) continue;
      entry.target = textOf(target);
    }
    if (type === 'f' && stat.nlink > 1n) {
      const key = `${stat.dev}:${stat.ino}`;
      const first = links.get(key);
      if (first === undefined) links.set(key, path);
      else Object.assign(entry, { type: 'h', target: first, size: 0 });
    }
    yield { entry, at, sparse: stat.blocks * 512n < stat.size };
    if (type !== 'd') continue;
    const inner = present(() => new Folder(at, path));
    if (!inner) continue;
    try {
      yield* walk(inner, links);
    } finally {
      inner.close();
    }
  }
}

function* everything() {
  const folder = root();
  try {
    const entry = entryOf('.', 'd', fs.lstatSync('.', { bigint: true }));
    yield { entry, at: bytesOf('.'), sparse: false };
    yield* walk(folder);
  } finally {
    folder.close();
  }
}

/** @returns {Entry} */
function entryOf(/** @type {string} */ path, /** @type {'d' | 'f' | 'l'} */ type, /** @type {fs.BigIntStats} */ stat) {
  const isHomes = Number(stat.uid) === homeOwner.uid && Number(stat.gid) === homeOwner.gid;
  return {
    ...{ path, type, mode: type === 'l' ? 0 : Number(stat.mode & 0o7777n) },
    ...{ size: type === 'f' ? Number(stat.size) : 0, mtime: String(stat.mtimeNs) },
    ...{ own: isHomes ? null : [Number(stat.uid), Number(stat.gid)], target: '', sha: '' },
  };
}

/** The pieces of a file, in one buffer that is used again. */
function* piecesOf(/** @type {Buffer} */ at) {
  const fd = present(() => fs.openSync(at, O_RDONLY | O_NOFOLLOW));
  if (fd === undefined) return;
  try {
    const buffer = Buffer.allocUnsafe(chunkSize);
    for (let read = fs.readSync(fd, buffer); read > 0; read = fs.readSync(fd, buffer)) yield buffer.subarray(0, read);
  } finally {
    fs.closeSync(fd);
  }
}

function hashOf(/** @type {Buffer} */ at) {
  const hash = createHash('sha256');
  for (const piece of piecesOf(at)) hash.update(piece);
  return hash.digest('hex');
}

/** @type {Buffer[]} */
let waiting = [];
let waitingSize = 0;

/** Writes to the standard output, and waits while nobody reads. */
async function write(/** @type {Buffer} */ bytes) {
  waiting.push(Buffer.from(bytes));
  waitingSize += bytes.length;
  if (waitingSize >= holeSize) await flush();
}

async function flush() {
  const bytes = Buffer.concat(waiting);
  waiting = [];
  waitingSize = 0;
  if (bytes.length > 0 && !process.stdout.write(bytes)) await new Promise(go => process.stdout.once('drain', go));
}

const writeLine = (/** @type {object} */ value) => write(Buffer.from(`${JSON.stringify(value)}\n`));

async function writeFrame(/** @type {string} */ kind, /** @type {Buffer} */ payload) {
  const head = Buffer.alloc(5);
  head.write(kind, 0, 'latin1');
  head.writeUInt32BE(payload.length, 1);
  await write(head);
  await write(payload);
}

const writeFact = (/** @type {string} */ kind, /** @type {object} */ value) =>
  writeFrame(kind, Buffer.from(JSON.stringify(value)));

/** The standard input, in pieces of whatever length is asked for. */
class Input {
  #source = process.stdin[Symbol.asyncIterator]();
  #rest = Buffer.alloc(0);

  /** Undefined at the end. */
  async take(/** @type {number} */ length) {
    const parts = [];
    let missing = length;
    for (;;) {
      const part = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(part.length);
      parts.push(part);
      missing -= part.length;
      if (missing === 0) return parts.length === 1 ? part : Buffer.concat(parts);
      const { value, done } = await this.#source.next();
      if (done) return undefined;
      this.#rest = value;
    }
  }

  /** Without its line feed. Undefined at the end. */
  async line() {
    const parts = [];
    for (;;) {
      const end = this.#rest.indexOf(10);
      if (end >= 0) {
        parts.push(this.#rest.subarray(0, end));
        this.#rest = this.#rest.subarray(end + 1);
        return Buffer.concat(parts).toString();
      }
      parts.push(this.#rest);
      const { value, done } = await this.#source.next();
      if (done) return undefined;
      this.#rest = value;
    }
  }
}

async function digest() {
  const whole = createHash('sha256');
  let bytes = 0;
  let files = 0;
  for (const { entry, at } of everything()) {
    if (entry.type === 'f') {
      entry.sha = hashOf(at);
      files++;
      bytes += entry.size;
    }
    const { path, type, mode, size, target, sha } = entry;
    whole.update(`${JSON.stringify([path, type, type === 'h' ? 0 : mode, size, target, sha])}\n`);
    await writeLine(entry);
  }
  await writeLine({ digest: whole.digest('hex'), bytes, files, skipped });
}

/** What another home holds, in the order of a walk. */
async function* baseline() {
  const input = new Input();
  for (let line = await input.line(); line !== undefined; line = await input.line()) {
    const value = JSON.parse(line);
    if (value.digest !== undefined) return;
    yield/** @type {Entry} */ (value);
  }
  throw new Error('the list of what the other home holds was cut off');
}

async function exportHome() {
  const others = baseline();
  const next = async () => (await others.next()).value;
  let other = await next();
  /** Entries of the other home that come before this place are not in this one. */
  const removeUntil = async (/** @type {string | undefined} */ place) => {
    while (other && (place === undefined || orderOf(other.path) < place)) {
      await writeFact('R', { path: other.path });
      const gone = `${orderOf(other.path)}\0`;
      const wasFolder = other.type === 'd';
      other = await next();
      while (wasFolder && other && orderOf(other.path).startsWith(gone)) other = await next();
    }
  };
  let bytes = 0;
  let files = 0;
  for (const { entry, at, sparse } of everything()) {
    const place = orderOf(entry.path);
    await removeUntil(place);
    const same = other && other.path === entry.path ? other : undefined;
    if (same) other = await next();
    // The import removes a folder with what is in it.
    if (same?.type === 'd' && entry.type !== 'd') {
      while (other && orderOf(other.path).startsWith(`${place}\0`)) other = await next();
    }
    if (entry.type !== 'f') {
      await writeFact('E', entry);
      continue;
    }
    files++;
    const isThere = same?.type === 'f' && same.size === entry.size && same.sha === hashOf(at);
    await writeFact('E', { ...entry, kept: isThere });
    if (isThere) continue;
    const hash = createHash('sha256');
    for (const piece of piecesOf(at)) {
      hash.update(piece);
      bytes += piece.length;
      if (sparse) await writeSparse(piece);
      else await writeFrame('D', piece);
    }
    await writeFact('F', { sha: hash.digest('hex') });
  }
  await removeUntil(undefined);
  await writeFact('X', { bytes, files, skipped });
}

async function writeSparse(/** @type {Buffer} */ piece) {
  for (let start = 0; start < piece.length; start += holeSize) {
    const part = piece.subarray(start, start + holeSize);
    if (part.equals(zeros.subarray(0, part.length))) await writeFact('Z', { length: part.length });
    else await writeFrame('D', part);
  }
}

async function importHome() {
  const input = new Input();
  const folder = root();
  /** The way down to where the last entry was; what a folder is to be like is set when it is left. @type {{ folder: Folder, entry: Entry }[]} */
  const way = [];
  const transit = `.remote-swarm-${process.pid}-${Date.now().toString(36)}`;
  const leave = () => {
    const left = way.pop();
    if (!left) return;
    const own = left.entry.own ?? [homeOwner.uid, homeOwner.gid];
    if (isRoot) fs.fchownSync(left.folder.fd, own[0], own[1]);
    fs.fchmodSync(left.folder.fd, left.entry.mode);
    const seconds = secondsOf(left.entry.mtime);
    fs.futimesSync(left.folder.fd, seconds, seconds);
    if (left.folder !== folder) left.folder.close();
  };
  /** The open folder that holds the path. */
  const holderOf = (/** @type {string} */ path) => {
    const at = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '.';
    while (way.length > 0 && way.at(-1)?.folder.path !== at) leave();
    const holder = way.at(-1)?.folder;
    if (!holder || /^\.{0,2}$/.test(nameOf(path)) || nameOf(path).includes('\0'))
      throw new Error(`"${path}" lies nowhere`);
    return holder;
  };
  for (;;) {
    const { kind, payload } = await frame(input);
    if (kind === 'X') {
      while (way.length > 0) leave();
      process.stdout.write(`${payload}\n`);
      return;
    }
    const fact = JSON.parse(payload.toString());
    if (kind === 'R') {
      fs.rmSync(holderOf(fact.path).at(nameOf(fact.path)), { recursive: true, force: true });
      continue;
    }
    if (kind !== 'E') throw new Error('the stream is not in order');
    /** @type {Entry & { kept?: boolean }} */
    const entry = fact;
    if (entry.path === '.') {
      fs.fchmodSync(folder.fd, entry.mode | 0o700);
      way.push({ folder, entry });
      continue;
    }
    const holder = holderOf(entry.path);
    const at = holder.at(nameOf(entry.path));
    const there = present(() => fs.lstatSync(at));
    if (there?.isDirectory() && entry.type !== 'd') fs.rmSync(at, { recursive: true, force: true });
    if (entry.type === 'd') {
      if (there && !there.isDirectory()) fs.unlinkSync(at);
      if (!there?.isDirectory()) fs.mkdirSync(at, 0o700);
      const inner = new Folder(at, entry.path);
      fs.fchmodSync(inner.fd, entry.mode | 0o700);
      way.push({ folder: inner, entry });
    } else if (entry.type === 'f' && entry.kept) {
      if (!there?.isFile()) throw new Error(`"${entry.path}" is not there to be kept`);
      finish(at, entry);
    } else {
      const fresh = holder.at(transit);
      fs.rmSync(fresh, { force: true });
      if (entry.type === 'l') fs.symlinkSync(bytesOf(entry.target), fresh);
      else if (entry.type === 'h') linkTo(folder, entry.target, fresh);
      else await receive(input, fresh, entry.path);
      if (entry.type !== 'h') finish(fresh, entry);
      fs.renameSync(fresh, at);
      // Renaming one link of a file over another does nothing.
      fs.rmSync(fresh, { force: true });
    }
  }
}

const isRoot = process.getuid?.() === 0;
/** As near as a double comes: a quarter of a microsecond. */
const secondsOf = (/** @type {string} */ nanoseconds) =>
  Number(BigInt(nanoseconds) / 1000n) / 1e6 + Number(BigInt(nanoseconds) % 1000n) / 1e9;

async function frame(/** @type {Input} */ input) {
  const head = await input.take(5);
  const length = head?.readUInt32BE(1) ?? 0;
  if (length > chunkSize) throw new Error('the stream is not in order');
  const payload = head && (await input.take(length));
  if (!head || !payload) throw new Error('the stream was cut off');
  return { kind: head.toString('latin1', 0, 1), payload };
}

/** Owner, mode and times of what is no folder. */
function finish(/** @type {Buffer} */ at, /** @type {Entry} */ { type, mode, mtime, own }) {
  const [uid, gid] = own ?? [homeOwner.uid, homeOwner.gid];
  if (isRoot) fs.lchownSync(at, uid, gid);
  if (type === 'f') fs.chmodSync(at, mode);
  fs.lutimesSync(at, secondsOf(mtime), secondsOf(mtime));
}

/** Another name for a file that is there already, and lies behind no link. */
function linkTo(/** @type {Folder} */ home, /** @type {string} */ path, /** @type {Buffer} */ fresh) {
  const opened = [];
  let folder = home;
  const names = path.split('/');
  const last = names.pop() ?? '';
  try {
    for (const name of names) {
      if (/^\.{0,2}$/.test(name)) throw new Error(`"${path}" lies nowhere`);
      folder = new Folder(folder.at(name), folder.pathOf(name));
      opened.push(folder);
    }
    fs.linkSync(folder.at(last), fresh);
  } finally {
    for (const each of opened) each.close();
  }
}

async function receive(/** @type {Input} */ input, /** @type {Buffer} */ fresh, /** @type {string} */ path) {
  const fd = fs.openSync(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    const hash = createHash('sha256');
    let position = 0;
    for (;;) {
      const { kind, payload } = await frame(input);
      if (kind === 'D') {
        hash.update(payload);
        for (let done = 0; done < payload.length; )
          done += fs.writeSync(fd, payload, done, payload.length - done, position + done);
        position += payload.length;
      } else if (kind === 'Z') {
        const { length } = JSON.parse(payload.toString());
        hash.update(zeros.subarray(0, length));
        position += length;
      } else if (kind === 'F') {
        fs.ftruncateSync(fd, position);
        if (JSON.parse(payload.toString()).sha !== hash.digest('hex'))
          throw new Error(`"${path}" came with other bytes than it left with`);
        return;
      } else throw new Error('the stream is not in order');
    }
  } finally {
    fs.closeSync(fd);
  }
}

const modes = { digest, export: exportHome, import: importHome };
try {
  const mode = /** @type {keyof typeof modes} */ (process.argv.at(-1));
  await modes[mode]();
  await flush();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
// Nobody closes it.
process.stdin.destroy();
