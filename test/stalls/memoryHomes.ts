import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { messageOf } from '../../src/model/errors.ts';
import type { HomeEntry } from '../../src/model/homeArchive.ts';
import { homeEntriesIn } from '../../src/model/homeEntries.ts';
import { homeMissing, homeTaskFailed } from '../../src/model/homeErrors.ts';
import type { HomeProcess, HomeTask, Provider } from '../../src/model/provider.ts';
import { frameOf, framesIn } from '../../src/storage/homeFrames.ts';
import { contentOf, fill } from '../fakes/memoryCarrier.ts';

/** What a home holds while a text is being written into it. */
export const halfText = 'a half of what was to be';

/** `home.mjs` beside the homes of a memory place, each of which is one file. It goes on whoever stands still. */
export function openMemoryHome(provider: Provider, instanceId: string, task: HomeTask): HomeProcess {
  if (contentOf(provider, instanceId) === undefined) throw homeMissing(instanceId, provider.id);
  const [input, output] = [new Pipe(), new Pipe()];
  const run = async () => {
    try {
      for await (const chunk of programs[task](provider, instanceId, input)) output.push(chunk);
    } catch (error) {
      throw homeTaskFailed(instanceId, provider.id, messageOf(error));
    } finally {
      output.end();
    }
  };
  const done = run();
  done.catch(() => {});
  let signs = 0;
  return {
    ...{ output, done },
    write: async chunk => input.push(chunk),
    signs: () => signs++,
    end: async () => input.end(),
  };
}

type Program = (provider: Provider, instanceId: string, input: Pipe) => AsyncGenerator<Uint8Array>;

const programs: Readonly<Record<HomeTask, Program>> = {
  digest: async function* (provider, id) {
    yield line(factsOf(textOf(provider, id)));
  },
  list: async function* (provider, id) {
    const text = textOf(provider, id);
    yield line(entryOf(text));
    yield line(factsOf(text));
  },
  export: async function* (provider, id, input) {
    const known = new Set<string>();
    for await (const { sha } of homeEntriesIn(input)) known.add(sha);
    const text = textOf(provider, id);
    const entry = entryOf(text);
    const kept = known.has(entry.sha);
    yield frameOf('E', { ...entry, kept });
    if (!kept) {
      yield frameOf('D', Buffer.from(text));
      yield frameOf('F', { sum: crc32(text) });
    }
    yield frameOf('X', { bytes: text.length, files: 1, skipped: nothing });
  },
  import: async function* (provider, id, input) {
    let text = '';
    for await (const { kind, payload } of framesIn(input)) {
      if (kind === 'E' && JSON.parse(payload.toString()).kept === false) fill(provider, id, halfText);
      if (kind === 'D') text += payload.toString();
      if (kind === 'F') fill(provider, id, text);
      if (kind === 'X') break;
    }
    yield line({ bytes: textOf(provider, id).length, files: 1 });
  },
};

const nothing = { count: 0, names: [] };

function textOf(provider: Provider, id: string): string {
  const text = contentOf(provider, id);
  if (text === undefined) throw homeMissing(id, provider.id);
  return text;
}

const entryOf = (text: string): HomeEntry => ({
  ...({ path: 'text', type: 'f', mode: 0o644, size: text.length, mtime: '0', own: null, target: '' } as const),
  sha: createHash('sha256').update(text).digest('hex'),
});

/** As the archive takes the digest of what comes. */
function factsOf(text: string) {
  const { path, type, mode, size, target, sha } = entryOf(text);
  const digest = createHash('sha256').update(`${JSON.stringify([path, type, mode, size, target, sha])}\n`);
  return {
    digest: digest.digest('hex'),
    bytes: size,
    files: 1,
    solid: size,
    skipped: nothing,
    attributed: nothing,
    foreign: nothing,
  };
}

const line = (value: object) => Buffer.from(`${JSON.stringify(value)}\n`);

/** What one program gives another, until it gives no more. */
class Pipe implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = [];
  #ended = false;
  #change = Promise.withResolvers<void>();

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#tell();
  }

  end(): void {
    this.#ended = true;
    this.#tell();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk) yield chunk;
      else if (this.#ended) return;
      else await this.#change.promise;
    }
  }

  #tell(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}
