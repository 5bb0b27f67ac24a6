// @ts-check
// Runs beside a home, whose folder is the working directory, on the node that the editor server brings.
//   home.mjs digest   writes one JSON line, with the digest of all that the home holds
//   home.mjs list     writes what the home holds, one JSON line an entry, and then the same
//   home.mjs export   reads such a list of another home, and writes what makes that home equal with this one
//   home.mjs import   reads what an export wrote, makes this home so, and sees it on the disk
// Names are bytes: here they are strings of which each character stands for one byte. Folders are held open and entered
// by their descriptors where the system can, so that no link leads out of the home and paths may have any length. What
// lies in a folder is reached by its bare name, with that folder as the working directory, which no way is faster than.
// Everything is read and written in one order, depth first, so that nothing is held in memory but the way down.
// Nothing waits for anything but its input and output, so all of it is synchronous: the pipes keep both ends busy.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { crc32 } from 'node:zlib';

/** @typedef {{ path: string, type: 'd' | 'f' | 'l' | 'h', mode: number, size: number, mtime: string, own: [number | null, number | null] | null, target: string, sha: string, pieces?: true }} Entry */
/** @typedef {{ entry: Entry, at: Buffer, stat: fs.BigIntStats }} Found */

/** What is on its way at most, and the longest frame or line. */
const chunkSize = 1024 * 1024;
/** As much as is read of a file at once: what a core's own cache holds. */
const pieceSize = 256 * 1024;
const headSize = 5;
/** Runs of zeros that are left out of files which have holes. */
const holeSize = 64 * 1024;
/** From here on a file is told piece by piece, and runs of zeros by their length: they may be most of it. */
const largeSize = 1024 ** 3;
/** As much of the list of what is no hole as is looked at. */
const mapSize = 4 * 1024 * 1024;
/** What even an empty file costs a disk, about. */
const blockSize = 4 * 1024;
const zeros = Buffer.alloc(holeSize);
const namedAtMost = 20;
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_WRONLY, O_CREAT, O_EXCL, O_NONBLOCK } = fs.constants;
/** ext, XFS and Btrfs: there, every change of a file's bytes changes its ctime, also one through mapped memory. */
const keepsTrack = [0xef53, 0x58465342, 0x9123683e].includes(fs.statfsSync('.').type);
/** The same, tmpfs and overlays: there, what is not on the disk yet is no hole. */
const tellsHoles = keepsTrack || [0x01021994, 0x794c7630].includes(fs.statfsSync('.').type);
const byDescriptor = fs.existsSync('/proc/self/fd');
/** The way to the home. */
const began = process.cwd();

const bytesOf = (/** @type {string} */ text) => Buffer.from(text, 'latin1');
const textOf = (/** @type {Uint8Array} */ bytes) => Buffer.from(bytes).toString('latin1');
/** Sorts a folder before what is in it, and that before its next sibling. */
const orderOf = (/** @type {string} */ path) => (path === '.' ? '' : path.replaceAll('/', '\0'));
const nameOf = (/** @type {string} */ path) => path.slice(path.lastIndexOf('/') + 1);
/** As a person reads it: of a long one both ends. */
const shown = (/** @type {string} */ path) =>
  JSON.stringify(bytesOf(path.length > 1_000 ? `${path.slice(0, 500)} ... ${path.slice(-500)}` : path).toString());

/** A folder that is open. */
class Folder {
  /** The one that is the working directory. @type {Folder | undefined} */
  static #entered;
  /** Path of what was reached last, for errors: the system tells of a bare name, or of a descriptor. */
  static reached = '.';
  #isNear;

  constructor(/** @type {Buffer} */ at, /** @type {string} */ path) {
    this.path = path;
    // Node fails where the system cannot tell the path of the working directory.
    this.#isNear = Buffer.byteLength(began) + path.length < 4_000;
    this.fd = fs.openSync(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    this.base = byDescriptor ? `/proc/self/fd/${this.fd}` : join(began, bytesOf(path).toString());
  }

  /** Makes it the working directory, and answers with what is good as long as it is. */
  reach(/** @type {string} */ name) {
    Folder.reached = this.pathOf(name);
    if (!this.#isNear) return this.at(name);
    if (Folder.#entered !== this) process.chdir(this.base);
    Folder.#entered = this;
    return bytesOf(name);
  }

  at(/** @type {string} */ name) {
    return Buffer.concat([Buffer.from(`${this.base}/`), bytesOf(name)]);
  }

  pathOf(/** @type {string} */ name) {
    return this.path === '.' ? name : `${this.path}/${name}`;
  }

  /** Opens it for a change, also when its owner is forbidden that. */
  static forChange(/** @type {Buffer} */ at, /** @type {string} */ path) {
    try {
      return new Folder(at, path);
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EACCES') throw error;
      fs.chmodSync(at, 0o700);
      return new Folder(at, path);
    }
  }

  /** The last one first. */
  names() {
    return fs.readdirSync(this.base, { encoding: 'buffer' }).map(textOf).sort().reverse();
  }

  close() {
    fs.closeSync(this.fd);
  }
}

const home = new Folder(bytesOf('.'), '.');
/** Hashes that were taken before, beside the home. */
const hashesFile = `${home.base}/../reserved/hashes`;
const homeOwner = fs.lstatSync('.');
/** @returns {{ count: number, names: string[] }} */
const nothing = () => ({ count: 0, names: [] });
/** Sockets, pipes and devices, which do not travel. */
const skipped = nothing();

function note(/** @type {ReturnType<typeof nothing>} */ list, /** @type {string} */ path) {
  list.count++;
  if (list.names.length < namedAtMost) list.names.push(path);
}

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
 * @returns {Generator<Found>}
 */
function* walk() {
  const links = new Map();
  /** The way down, and what is left in each folder: a home may be deeper than calls can be. */
  const way = [{ folder: home, left: home.names() }];
  for (let here = way.at(-1); here; here = way.at(-1)) {
    const { folder, left } = here;
    const name = left.pop();
    if (name === undefined) {
      way.pop();
      if (folder !== home) folder.close();
      continue;
    }
    const at = folder.reach(name);
    const stat = present(() => fs.lstatSync(at, { bigint: true }));
    if (!stat) continue;
    const path = folder.pathOf(name);
    const type = stat.isDirectory() ? 'd' : stat.isFile() ? 'f' : stat.isSymbolicLink() ? 'l' : undefined;
    if (type === undefined) {
      note(skipped, path);
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
    yield { entry, at, stat };
    if (type !== 'd') continue;
    const inner = present(() => new Folder(at, path));
    if (inner) way.push({ folder: inner, left: inner.names() });
  }
}

function* everything() {
  const at = home.reach('.');
  const stat = fs.lstatSync(at, { bigint: true });
  yield { entry: entryOf('.', 'd', stat), at, stat };
  yield* walk();
}

/** @returns {Entry} */
function entryOf(/** @type {string} */ path, /** @type {'d' | 'f' | 'l'} */ type, /** @type {fs.BigIntStats} */ stat) {
  const [uid, gid] = [Number(stat.uid), Number(stat.gid)];
  /** Null stands for the home's own, which are others elsewhere. @type {Exclude<Entry['own'], null>} */
  const own = [uid === homeOwner.uid ? null : uid, gid === homeOwner.gid ? null : gid];
  return {
    ...{ path, type, mode: type === 'l' ? 0 : Number(stat.mode & 0o7777n) },
    ...{ size: type === 'f' ? Number(stat.size) : 0, mtime: String(stat.mtimeNs) },
    ...{ own: own.some(id => id !== null) ? own : null, target: '', sha: '' },
    ...(type === 'f' && stat.size >= largeSize && { pieces: true }),
  };
}

/** 1 while this waits for its input or output, and not they for it. */
const waiting = new Int32Array(new SharedArrayBuffer(4));
const signEvery = 5_000;

/**
 * Writes an empty line as an error's from time to time while there is work, so that it is told from what hangs; and has
 * what was written so far brought to the disk when it is told to, so that not all is still to come at the end.
 */
const aside = new Worker(
  `const { spawn } = require('node:child_process');
  const { writeSync } = require('node:fs');
  const { parentPort, workerData: waiting } = require('node:worker_threads');
  setInterval(() => {
    try {
      if (Atomics.load(waiting, 0) === 0) writeSync(2, '\\n');
    } catch {}
  }, ${signEvery});
  let flush;
  const end = () => {
    flush = undefined;
  };
  parentPort.on('message', cwd => {
    flush ??= spawn('sync', ['-f', '.'], { cwd, stdio: 'ignore' }).on('error', end).on('exit', end);
  });`,
  // Without pipes of its own, it would make those of this one such that none waits for them.
  { eval: true, execArgv: [], stdout: true, stderr: true, workerData: waiting },
);
aside.unref();

const flushEvery = 64 * 1024 * 1024;
let unflushed = 0;

/** Notes how much of a disk was written to. */
function wrote(/** @type {number} */ bytes) {
  unflushed += bytes;
  if (unflushed < flushEvery) return;
  unflushed = 0;
  aside.postMessage(home.base);
}

/** Does what may have to wait for a pipe, or find it full or empty for a moment. @template T @returns {T} */
function patiently(/** @type {() => T} */ work) {
  Atomics.store(waiting, 0, 1);
  try {
    for (;;) {
      try {
        return work();
      } catch (error) {
        if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EAGAIN') throw error;
        Atomics.wait(waiting, 0, 1, 1);
      }
    }
  } finally {
    Atomics.store(waiting, 0, 0);
  }
}

/** Lines and frames on their way out: a frame is a letter, a length, and what the letter says. */
class Output {
  #buffer = Buffer.allocUnsafe(chunkSize);
  #used = 0;

  constructor(/** @type {number} */ fd) {
    this.fd = fd;
  }

  line(/** @type {unknown} */ value) {
    this.#add(Buffer.from(`${JSON.stringify(value)}\n`));
  }

  fact(/** @type {string} */ kind, /** @type {object} */ value) {
    this.frame(kind, Buffer.from(JSON.stringify(value)));
  }

  frame(/** @type {string} */ kind, /** @type {Buffer} */ payload) {
    if (payload.length > chunkSize) throw new Error(`the path is too long: ${shown(Folder.reached)}`);
    const head = Buffer.alloc(headSize);
    setHead(head, 0, kind, payload.length);
    this.#add(head);
    this.#add(payload);
  }

  /** A frame with the next piece of a file, which is what it answers with. */
  frameOf(/** @type {string} */ kind, /** @type {number} */ file) {
    if (this.#used + headSize + pieceSize > chunkSize) this.flush();
    const start = this.#used + headSize;
    const got = fs.readSync(file, this.#buffer, start, pieceSize, null);
    if (got > 0) {
      setHead(this.#buffer, this.#used, kind, got);
      this.#used = start + got;
    }
    return this.#buffer.subarray(start, start + got);
  }

  flush() {
    const bytes = this.#buffer.subarray(0, this.#used);
    this.#used = 0;
    this.#write(bytes);
  }

  #add(/** @type {Buffer} */ bytes) {
    if (this.#used + bytes.length > chunkSize) this.flush();
    if (bytes.length > chunkSize) return this.#write(bytes);
    bytes.copy(this.#buffer, this.#used);
    this.#used += bytes.length;
  }

  #write(/** @type {Buffer} */ bytes) {
    for (let done = 0; done < bytes.length; ) done += patiently(() => fs.writeSync(this.fd, bytes, done));
  }
}

function setHead(/** @type {Buffer} */ at, /** @type {number} */ start, /** @type {string} */ kind, length = 0) {
  at.write(kind, start, 'latin1');
  at.writeUInt32BE(length, start + 1);
}

/** What comes in, a part at a time. What it answers with is good until it is asked again. */
class Input {
  #buffer = Buffer.allocUnsafe(chunkSize);
  #from = 0;
  #to = 0;

  constructor(/** @type {number} */ fd) {
    this.fd = fd;
  }

  /** So many bytes; undefined when the end comes before them. */
  take(/** @type {number} */ length) {
    while (this.#to - this.#from < length) if (!this.#fill()) return undefined;
    return this.#cut(length);
  }

  /** What there is, and so many bytes at most; undefined at the end. */
  some(/** @type {number} */ most) {
    if (this.#from === this.#to && !this.#fill()) return undefined;
    return this.#cut(Math.min(most, this.#to - this.#from));
  }

  /** Without its line feed; undefined at the end. */
  line() {
    for (let looked = 0; ; ) {
      const end = this.#buffer.subarray(0, this.#to).indexOf(10, this.#from + looked);
      if (end >= 0)
        return this.#cut(end + 1 - this.#from)
          .subarray(0, -1)
          .toString();
      looked = this.#to - this.#from;
      if (looked === chunkSize || !this.#fill()) return undefined;
    }
  }

  #cut(/** @type {number} */ length) {
    const part = this.#buffer.subarray(this.#from, this.#from + length);
    this.#from += length;
    return part;
  }

  /** False at the end. */
  #fill() {
    if (this.#from === this.#to || this.#to === chunkSize) {
      this.#buffer.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
    }
    const got = patiently(() => fs.readSync(this.fd, this.#buffer, this.#to, chunkSize - this.#to, null));
    this.#to += got;
    return got > 0;
  }
}

const piece = Buffer.allocUnsafe(pieceSize);

/** Has a file read to its end, by something that answers with how much it got. */
function readWhole(/** @type {Found} */ { at, stat }, /** @type {(fd: number) => number} */ read) {
  const fd = present(() => fs.openSync(at, O_RDONLY | O_NOFOLLOW));
  if (fd === undefined) return;
  try {
    for (let done = 0, got = read(fd); got > 0; got = done < stat.size ? read(fd) : 0) done += got;
  } finally {
    fs.closeSync(fd);
  }
}

/** Eight bytes. */
function lengthOf(/** @type {number} */ bytes) {
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(bytes));
  return length;
}

/**
 * Has a large file read in pieces of a hole's size that are not all zeros: each is told with the length of the zeros
 * before it, and an empty one with those at the end. What the disk knows as holes is not read.
 */
function readPieces(/** @type {Found} */ { at, stat }, /** @type {(zeros: number, part: Buffer) => void} */ use) {
  const fd = present(() => fs.openSync(at, O_RDONLY | O_NOFOLLOW));
  if (fd === undefined) return use(0, Buffer.alloc(0));
  try {
    let told = 0;
    const tell = (/** @type {number} */ position, /** @type {Buffer} */ part) => {
      use(position - told, part);
      told = position + part.length;
    };
    for (const [from, to] of solidIn(fd, stat)) {
      for (let position = from; position < to; position += pieceSize) {
        const got = readAt(fd, Math.min(pieceSize, to - position), position);
        for (let start = 0; start < got; start += holeSize) {
          const part = piece.subarray(start, Math.min(start + holeSize, got));
          if (!part.equals(zeros.subarray(0, part.length))) tell(position + start, part);
        }
      }
    }
    tell(Number(stat.size), Buffer.alloc(0));
  } finally {
    fs.closeSync(fd);
  }
}

/** So many bytes, or those up to the end. */
function readAt(/** @type {number} */ fd, /** @type {number} */ length, /** @type {number} */ position) {
  let done = 0;
  for (let got = 1; got > 0 && done < length; done += got)
    got = fs.readSync(fd, piece, done, length - done, position + done);
  return done;
}

/** Where a file may hold something, in whole pieces and in order. @returns {[from: number, to: number][]} */
function solidIn(/** @type {number} */ fd, /** @type {fs.BigIntStats} */ { size, blocks }) {
  const end = Number(size);
  if (!tellsHoles || blocks * 512n >= size) return [[0, end]];
  if (blocks === 0n) return [];
  /** @type {[number, number][]} */
  const all = [];
  for (const { from, length } of mapOf(fd) ?? [{ from: 0, length: end }]) {
    const start = Math.max(all.at(-1)?.[1] ?? 0, from - (from % holeSize));
    const to = Math.min(end, Math.ceil((from + length) / holeSize) * holeSize);
    if (to > start) all.push([start, to]);
  }
  return all;
}

/**
 * Offsets and lengths of what is no hole. The system tells Node nothing of it, but GNU tar, which begins what it makes of
 * such a file with them. Undefined where it is not there, or there are too many.
 */
function mapOf(/** @type {number} */ fd) {
  if (!byDescriptor) return undefined;
  const form = ['--format=posix', '--sparse', '--sparse-version=1.0', '--hole-detection=seek'];
  const { stdout } = spawnSync('tar', ['-c', '-f', '-', '-h', '-P', ...form, '/proc/self/fd/3'], {
    ...{ stdio: ['ignore', 'pipe', 'ignore', fd], maxBuffer: mapSize, env: { PATH: process.env.PATH, LC_ALL: 'C' } },
  });
  return stdout && mapIn(stdout);
}

function mapIn(/** @type {Buffer} */ tar) {
  const block = 512;
  const sizeAt = (/** @type {number} */ head) => Number.parseInt(tar.toString('latin1', head + 124, head + 136), 8);
  if (tar.toString('latin1', 156, 157) !== 'x') return undefined;
  const file = block + Math.ceil(sizeAt(0) / block) * block;
  if (!tar.toString('latin1', block, file).includes(' GNU.sparse.major=1\n')) return undefined;
  const numbers = tar.toString('latin1', file + block).split('\n', 2 * 1024 * 1024);
  const count = Number(numbers[0]);
  // The one after the last is whole only when there is something behind it.
  if (!(count >= 0) || numbers.length < 2 * count + 2) return undefined;
  return Array.from({ length: count }, (_, index) => ({
    from: Number(numbers[2 * index + 1]),
    length: Number(numbers[2 * index + 2]),
  }));
}

/** Whether all that was written where the home lies is on the disk now, as far as there is a program for it. */
const syncsAll = () => spawnSync('sync', ['-f', '.'], { cwd: home.base }).status === 0;

/**
 * Entries that have extended attributes or an access list, which do not travel: the system tells Node nothing of them, so
 * they are seen only where there is a program that does.
 */
function attributed() {
  const wanted = String.raw`^(user\.|system\.posix_acl_|security\.capability)`;
  const seen = spawnSync('getfattr', ['-R', '-P', '-h', '-m', wanted, '.'], {
    ...{ encoding: /** @type {const} */ ('latin1'), maxBuffer: 64 * chunkSize, cwd: home.base },
  });
  const names = (seen.stdout ?? '').match(/^# file: .*/gm) ?? [];
  return { count: names.length, names: names.slice(0, namedAtMost).map(name => name.slice('# file: '.length)) };
}

/**
 * Hashes of the home's files. One that was taken before is taken again where size, mtime, ctime and inode are not what
 * they were; so it is when the file was changed so shortly before it was read that its ctime may not show another change.
 */
class Hashes {
  #before = keepsTrack ? recordsOf(hashesFile) : undefined;
  #next = this.#before?.next().value;
  /** @type {Output | undefined} */
  #record;
  /** No change after the record was begun leaves a ctime before this. */
  #changeless = 0n;
  #isSettled = false;

  /** From here on all hashes are kept for the next time. Where that is not possible, they are not. */
  record() {
    if (!keepsTrack) return;
    this.#try(() => {
      clear(`${hashesFile}.new`);
      const fd = fs.openSync(`${hashesFile}.new`, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      this.#record = new Output(fd);
      const { ctimeNs } = fs.fstatSync(fd, { bigint: true });
      this.#changeless = ctimeNs - (ctimeNs % 1_000_000_000n === 0n ? 2_000_000_000n : 100_000_000n);
    });
  }

  /** Of a file; those of a walk are to be asked for in its order. */
  of(/** @type {Found} */ found) {
    const { entry, stat } = found;
    const place = orderOf(entry.path);
    while (this.#next && orderOf(this.#next[0]) < place) this.#next = this.#before?.next().value;
    const facts = [stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs, ...(entry.pieces ? ['pieces'] : [])].join(' ');
    const known = this.#next?.[0] === entry.path && this.#next[1] === facts ? this.#next[2] : undefined;
    if (known === undefined && this.#record && !this.#isSettled) {
      // What is written through mapped memory changes the ctime only when the memory was on the disk before.
      this.#isSettled = syncsAll();
      if (!this.#isSettled) this.#forget();
    }
    const sha = known ?? hashOf(found);
    const isKept = known !== undefined || stat.ctimeNs < this.#changeless;
    if (isKept) this.#try(() => this.#record?.line([entry.path, facts, sha]));
    return sha;
  }

  /** Ends the record. */
  keep() {
    this.#try(() => {
      if (!this.#record) return;
      this.#record.flush();
      fs.closeSync(this.#record.fd);
      fs.renameSync(`${hashesFile}.new`, hashesFile);
    });
  }

  /** A disk that is full is no reason not to read a home. */
  #try(/** @type {() => void} */ work) {
    try {
      work();
    } catch {
      this.#forget();
    }
  }

  #forget() {
    this.#record = undefined;
    try {
      clear(`${hashesFile}.new`);
    } catch {
      // Nobody reads it.
    }
  }
}

/** Whoever works in the instance may have put anything there. */
const clear = (/** @type {string} */ file) => fs.rmSync(file, { recursive: true, force: true });

/**
 * Path, facts and hash of each, as far as it can be read: whoever works in the instance may have written it.
 * @returns {Generator<[string, string, string], undefined>}
 */
function* recordsOf(/** @type {string} */ file) {
  const fd = present(() => fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  if (fd === undefined) return;
  try {
    if (!fs.fstatSync(fd).isFile()) return;
    const input = new Input(fd);
    for (let line = input.line(); line !== undefined; line = input.line()) {
      const value = JSON.parse(line);
      if (!Array.isArray(value) || value.some(part => typeof part !== 'string')) return;
      if (!/^[a-f0-9]{64}$/.test(value[2])) return;
      yield/** @type {[string, string, string]} */ (value);
    }
  } catch (error) {
    // A crash of the machine may have left anything.
    if (!(error instanceof SyntaxError)) throw error;
  } finally {
    fs.closeSync(fd);
  }
}

function hashOf(/** @type {Found} */ found) {
  const hash = createHash('sha256');
  if (found.entry.pieces) readPieces(found, (zeros, part) => hash.update(lengthOf(zeros)).update(part));
  else
    readWhole(found, fd => {
      const got = fs.readSync(fd, piece, 0, pieceSize, null);
      hash.update(piece.subarray(0, got));
      return got;
    });
  return hash.digest('hex');
}

function digest(/** @type {(entry: Entry) => void} */ tell = () => {}) {
  const hashes = new Hashes();
  hashes.record();
  const whole = createHash('sha256');
  let bytes = 0;
  let solid = 0;
  let files = 0;
  /** What is of other owners than the home, which only root can give it elsewhere. */
  const foreign = nothing();
  for (const found of everything()) {
    const { entry, stat } = found;
    if (entry.type === 'f') {
      entry.sha = hashes.of(found);
      files++;
      bytes += entry.size;
      solid += Math.min(entry.size, Number(stat.blocks) * 512);
    }
    const { path, type, mode, size, target, sha } = entry;
    if (entry.own) note(foreign, path);
    whole.update(`${JSON.stringify([path, type, type === 'h' ? 0 : mode, size, target, sha])}\n`);
    tell(entry);
  }
  hashes.keep();
  output.line({ digest: whole.digest('hex'), bytes, solid, files, skipped, attributed: attributed(), foreign });
}

const list = () => digest(entry => output.line(entry));

/** What another home holds, in the order of a walk. @returns {Generator<Entry, undefined>} */
function* baseline() {
  const input = new Input(0);
  for (let line = input.line(); line !== undefined; line = input.line()) {
    const value = JSON.parse(line);
    if (value.digest !== undefined) return;
    yield value;
  }
  throw new Error('the list of what the other home holds was cut off');
}

/** Whether mode, owner and time are the same, as near as times can be set. */
function isAlike(/** @type {Entry} */ one, /** @type {Entry} */ other) {
  const apart = Number(BigInt(one.mtime) - BigInt(other.mtime));
  return one.mode === other.mode && String(one.own) === String(other.own) && Math.abs(apart) < 2_000;
}

function exportHome() {
  const hashes = new Hashes();
  const others = baseline();
  let other = others.next().value;
  /** Entries of the other home that come before this place are not in this one. */
  const removeUntil = (/** @type {string | undefined} */ place) => {
    while (other && (place === undefined || orderOf(other.path) < place)) {
      output.fact('R', { path: other.path });
      const gone = `${orderOf(other.path)}\0`;
      const wasFolder = other.type === 'd';
      other = others.next().value;
      while (wasFolder && other && orderOf(other.path).startsWith(gone)) other = others.next().value;
    }
  };
  /** Files with more names than one that are made anew. */
  const renewed = new Set();
  let bytes = 0;
  let files = 0;
  for (const found of everything()) {
    const { entry, stat } = found;
    const place = orderOf(entry.path);
    removeUntil(place);
    const same = other && other.path === entry.path ? other : undefined;
    if (same) other = others.next().value;
    // The import removes a folder with what is in it.
    if (same?.type === 'd' && entry.type !== 'd') {
      while (other && orderOf(other.path).startsWith(`${place}\0`)) other = others.next().value;
    }
    const there = same?.type === entry.type && same.target === entry.target ? same : undefined;
    if (entry.type !== 'f') {
      const isLeft = entry.type === 'h' ? there && !renewed.has(entry.target) : there && isAlike(there, entry);
      output.fact('E', isLeft && entry.type !== 'd' ? { ...entry, kept: true } : entry);
      continue;
    }
    files++;
    if (there?.size === entry.size && there.sha === hashes.of(found)) {
      output.fact('E', { ...entry, kept: true });
      continue;
    }
    if (stat.nlink > 1n) renewed.add(entry.path);
    output.fact('E', entry);
    bytes += send(found);
  }
  removeUntil(undefined);
  output.fact('X', { bytes, files, skipped });
}

/** The bytes of a file, and what they sum up to; answers with their number. */
function send(/** @type {Found} */ found) {
  if (found.entry.pieces) return sendPieces(found);
  const isSparse = found.stat.blocks * 512n < found.stat.size;
  let sum = 0;
  let bytes = 0;
  readWhole(found, fd => {
    const part = isSparse ? piece.subarray(0, fs.readSync(fd, piece, 0, pieceSize, null)) : output.frameOf('D', fd);
    if (isSparse) sendSparse(part);
    sum = crc32(part, sum);
    bytes += part.length;
    return part.length;
  });
  output.fact('F', { sum });
  return bytes;
}

function sendPieces(/** @type {Found} */ found) {
  let sum = 0;
  let bytes = 0;
  readPieces(found, (zeros, part) => {
    if (zeros > 0) output.fact('Z', { length: zeros });
    if (part.length > 0) output.frame('D', part);
    sum = crc32(part, crc32(lengthOf(zeros), sum));
    bytes += zeros + part.length;
  });
  output.fact('F', { sum });
  return bytes;
}

function sendSparse(/** @type {Buffer} */ bytes) {
  for (let start = 0; start < bytes.length; start += holeSize) {
    const part = bytes.subarray(start, start + holeSize);
    if (part.equals(zeros.subarray(0, part.length))) output.fact('Z', { length: part.length });
    else output.frame('D', part);
  }
}

function importHome() {
  const input = new Input(0);
  /** The way down to where the last entry was; what a folder is to be like is set when it is left. @type {{ folder: Folder, entry: Entry }[]} */
  const way = [];
  const leave = () => {
    const left = way.pop();
    if (!left) return;
    finishOpen(left.folder.fd, left.entry);
    if (left.folder !== home) left.folder.close();
  };
  /** The open folder that holds the path. */
  const holderOf = (/** @type {string} */ path) => {
    const at = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '.';
    while (way.length > 0 && way.at(-1)?.folder.path !== at) leave();
    const holder = way.at(-1)?.folder;
    if (!holder || /^\.{0,2}$/.test(nameOf(path)) || nameOf(path).includes('\0'))
      throw new Error(`${shown(path)} lies nowhere`);
    return holder;
  };
  for (;;) {
    const { kind, length } = headOf(input);
    const fact = factOf(input, length);
    if (kind === 'X') {
      while (way.length > 0) leave();
      if (!syncsAll()) syncEach();
      output.line(fact);
      return;
    }
    if (kind === 'R') {
      remove(holderOf(fact.path), nameOf(fact.path));
      continue;
    }
    if (kind !== 'E') throw new Error('the stream is not in order');
    /** @type {Entry & { kept?: boolean }} */
    const entry = fact;
    if (entry.path === '.') {
      fs.fchmodSync(home.fd, entry.mode | 0o700);
      way.push({ folder: home, entry });
      continue;
    }
    const holder = holderOf(entry.path);
    const at = holder.reach(nameOf(entry.path));
    if (entry.type === 'd') {
      if (!present(() => fs.lstatSync(at))?.isDirectory()) anew(holder, entry, at => fs.mkdirSync(at, 0o700));
      const inner = Folder.forChange(holder.reach(nameOf(entry.path)), entry.path);
      fs.fchmodSync(inner.fd, entry.mode | 0o700);
      way.push({ folder: inner, entry });
    } else if (entry.kept) {
      keep(at, entry);
    } else if (entry.type === 'h') {
      anew(holder, entry, () => linkTo(entry.target, holder.at(nameOf(entry.path))));
    } else if (entry.type === 'l') {
      anew(holder, entry, at => fs.symlinkSync(bytesOf(entry.target), at));
      finish(at, entry);
    } else {
      const fd = anew(holder, entry, at => fs.openSync(at, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
      receive(input, fd, entry);
    }
  }
}

/** Makes something where nothing else is then. @template T @returns {T} */
function anew(/** @type {Folder} */ holder, /** @type {Entry} */ entry, /** @type {(at: Buffer) => T} */ make) {
  const name = nameOf(entry.path);
  try {
    return make(holder.reach(name));
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    remove(holder, name);
    return make(holder.reach(name));
  }
}

/** Removes what a folder has of that name, and all below it, also what forbids that to its owner. */
function remove(/** @type {Folder} */ holder, /** @type {string} */ name) {
  const way = [{ folder: holder, left: [name] }];
  for (let here = way.at(-1); here; here = way.at(-1)) {
    const { folder, left } = here;
    const next = left.at(-1);
    if (next === undefined) {
      way.pop();
      const above = way.at(-1);
      if (!above) return;
      folder.close();
      fs.rmdirSync(above.folder.reach(above.left.pop() ?? ''));
      continue;
    }
    const at = folder.reach(next);
    const stat = present(() => fs.lstatSync(at));
    if (stat?.isDirectory()) {
      const inner = Folder.forChange(at, folder.pathOf(next));
      fs.fchmodSync(inner.fd, 0o700);
      way.push({ folder: inner, left: inner.names() });
    } else {
      if (stat) fs.unlinkSync(at);
      left.pop();
    }
  }
}

/** Its owner, mode and times may be others; a file that is not touched need not be read again. */
function keep(/** @type {Buffer} */ at, /** @type {Entry} */ entry) {
  if (entry.type !== 'f') return;
  const stat = present(() => fs.lstatSync(at, { bigint: true }));
  if (!stat?.isFile()) throw new Error(`${shown(entry.path)} is not there to be kept`);
  if (!isAlike(entryOf(entry.path, 'f', stat), entry)) finish(at, entry);
}

/** Where there is no program that does it at once. */
function syncEach() {
  for (const { entry, at } of everything()) {
    if (entry.type !== 'f' && entry.type !== 'd') continue;
    const fd = fs.openSync(at, O_RDONLY | O_NOFOLLOW);
    fs.fsyncSync(fd);
    fs.closeSync(fd);
  }
}

const isRoot = process.getuid?.() === 0;
/** As near as a double comes: a quarter of a microsecond. As text, since Node takes a negative number for now. */
const secondsOf = (/** @type {string} */ nanoseconds) =>
  String(Number(BigInt(nanoseconds) / 1000n) / 1e6 + Number(BigInt(nanoseconds) % 1000n) / 1e9);

function headOf(/** @type {Input} */ input) {
  const head = input.take(headSize);
  if (!head) throw new Error('the stream was cut off');
  const length = head.readUInt32BE(1);
  if (length > chunkSize) throw new Error('the stream is not in order');
  return { kind: head.toString('latin1', 0, 1), length };
}

function factOf(/** @type {Input} */ input, /** @type {number} */ length) {
  const payload = input.take(length);
  if (!payload) throw new Error('the stream was cut off');
  return JSON.parse(payload.toString());
}

/** User and group as they are here. @returns {[number, number]} */
const ownerOf = (/** @type {Entry['own']} */ own) => [own?.[0] ?? homeOwner.uid, own?.[1] ?? homeOwner.gid];

/** Owner, mode and times of what is no folder. */
function finish(/** @type {Buffer} */ at, /** @type {Entry} */ { type, mode, mtime, own }) {
  if (isRoot) fs.lchownSync(at, ...ownerOf(own));
  if (type === 'f') fs.chmodSync(at, mode);
  fs.lutimesSync(at, secondsOf(mtime), secondsOf(mtime));
}

/** The same of what is open. */
function finishOpen(/** @type {number} */ fd, /** @type {Entry} */ { mode, mtime, own }) {
  if (isRoot) fs.fchownSync(fd, ...ownerOf(own));
  fs.fchmodSync(fd, mode);
  fs.futimesSync(fd, secondsOf(mtime), secondsOf(mtime));
}

/** Another name for a file that is there already, and lies behind no link. */
function linkTo(/** @type {string} */ path, /** @type {Buffer} */ fresh) {
  const opened = [];
  let folder = home;
  const names = path.split('/');
  const last = names.pop() ?? '';
  try {
    for (const name of names) {
      if (/^\.{0,2}$/.test(name)) throw new Error(`${shown(path)} lies nowhere`);
      folder = new Folder(folder.at(name), folder.pathOf(name));
      opened.push(folder);
    }
    fs.linkSync(folder.at(last), fresh);
  } finally {
    for (const each of opened) each.close();
  }
}

function receive(/** @type {Input} */ input, /** @type {number} */ fd, /** @type {Entry} */ entry) {
  wrote(blockSize);
  try {
    let sum = 0;
    let position = 0;
    let endsInHole = false;
    /** Zeros since the last piece of a large file. */
    let gap = 0;
    for (;;) {
      const { kind, length } = headOf(input);
      if (kind === 'D') {
        if (entry.pieces) sum = crc32(lengthOf(gap), sum);
        gap = 0;
        for (let left = length; left > 0; ) {
          const part = input.some(left);
          if (!part) throw new Error('the stream was cut off');
          sum = crc32(part, sum);
          for (let done = 0; done < part.length; )
            done += fs.writeSync(fd, part, done, part.length - done, position + done);
          position += part.length;
          wrote(part.length);
          left -= part.length;
        }
        endsInHole = false;
        continue;
      }
      const fact = factOf(input, length);
      if (kind === 'Z') {
        if (entry.pieces) gap += fact.length;
        else sum = crc32(zeros.subarray(0, fact.length), sum);
        position += fact.length;
        endsInHole = true;
      } else if (kind === 'F') {
        if (entry.pieces) sum = crc32(lengthOf(gap), sum);
        if (fact.sum !== sum) throw new Error(`${shown(entry.path)} came with other bytes than it left with`);
        if (endsInHole) fs.ftruncateSync(fd, position);
        finishOpen(fd, entry);
        return;
      } else throw new Error('the stream is not in order');
    }
  } finally {
    fs.closeSync(fd);
  }
}

const output = new Output(1);
const modes = { digest: () => digest(), list, export: exportHome, import: importHome };
try {
  modes[/** @type {keyof typeof modes} */ (process.argv.at(-1))]();
  output.flush();
  // Without this whoever reads takes it for cut off.
  process.stderr.write('done\n');
} catch (error) {
  process.stderr.write(`${reasonOf(error)}\n`);
  process.exitCode = 1;
}

/** In one line, with the path of what it was about; what a pipe refuses is about none. */
function reasonOf(/** @type {unknown} */ error) {
  if (!(error instanceof Error)) return String(error);
  const { code, path } = /** @type {NodeJS.ErrnoException} */ (error);
  if (path === undefined && (code === undefined || code === 'EPIPE')) return error.message;
  const [why] = error.message.split(" '", 1);
  return `${why} ${shown(Folder.reached)}`;
}
