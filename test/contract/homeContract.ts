import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { quietContext } from '../../src/model/operationContext.ts';
import type { HomeProcess, HomeTask, Provider } from '../../src/model/provider.ts';

/** A place whose homes are also folders of this machine. */
export interface HomeWorld {
  readonly provider: Provider;
  /** Makes an instance that has an empty home, and does not run; answers with its id and the folder of its home. */
  make(): Promise<{ readonly id: string; readonly home: string }>;
  close(): Promise<void>;
}

const nothingThere = Buffer.from(`${JSON.stringify({ digest: '' })}\n`);
const canMakeDevices = process.platform === 'linux' && process.getuid?.() === 0;

/** What every provider that hands over homes promises of them. */
export function describeHomeContract(name: string, open: () => Promise<HomeWorld>): void {
  describe(`homes of ${name}`, () => {
    let world: HomeWorld;
    let one: { readonly id: string; readonly home: string };
    let other: typeof one;

    beforeAll(async () => {
      world = await open();
    });
    afterAll(() => world?.close());
    beforeEach(async () => {
      [one, other] = [await world.make(), await world.make()];
    });

    async function started<T>(id: string, task: HomeTask, use: (program: HomeProcess) => Promise<T>): Promise<T> {
      const program = await world.provider.abilities.openHome?.(id, task, quietContext);
      if (!program) throw new Error('it hands over no homes');
      try {
        return await use(program);
      } finally {
        await program.end();
      }
    }
    const run = (id: string, task: HomeTask, input?: Uint8Array) =>
      started(id, task, async program => {
        const feeding = input && program.write(Uint8Array.from(input));
        const parts: Uint8Array[] = [];
        for await (const part of program.output) parts.push(part);
        await feeding;
        await program.done;
        return Buffer.concat(parts);
      });
    const lastLine = (output: Buffer) => JSON.parse(output.toString('latin1').trim().split('\n').at(-1) ?? '');
    const look = async ({ id }: typeof one) => lastLine(await run(id, 'digest'));
    /** What makes the other home equal with the first. */
    const difference = async () => run(one.id, 'export', await run(other.id, 'list'));
    const own = (home: string) => execFileSync('chown', ['-Rh', '--reference', home, home]);

    /** Everything that a Linux home can hold. */
    function fill(home: string): void {
      const at = (...names: string[]) => path.join(home, ...names);
      mkdirSync(at('folder', 'empty'), { recursive: true });
      writeFileSync(at('folder', 'program'), '#!/bin/sh\n');
      linkSync(at('folder', 'program'), at('same file'));
      symlinkSync('/etc/passwd', at('absolute'));
      symlinkSync('nowhere', at('dangling'));
      writeFileSync(at('large'), randomBytes(3_000_000));
      writeFileSync(at('empty file'), '');
      writeFileSync(at('holes'), 'begin');
      truncateSync(at('holes'), 20_000_000);
      for (const bytes of [[0xff, 0x0a, 0x22], [0x5c], [0xc3, 0x28]])
        writeFileSync(Buffer.concat([Buffer.from(at('bytes ')), Buffer.from(bytes)]), 'a name in bytes');
      const deep = Array.from({ length: 30 }, (_, depth) => `${depth}`.padEnd(200, 'd'));
      // A path of 6,000 bytes, which no call takes at once.
      execFileSync(
        'sh',
        ['-c', 'for name; do mkdir "$name" && cd -P "$name" || exit 1; done; echo deep >bottom', 'sh', ...deep],
        {
          cwd: home,
        },
      );
      execFileSync('mkfifo', [at('folder', 'pipe')]);
      if (canMakeDevices) execFileSync('mknod', [at('null'), 'c', '1', '3']);
      own(home);
      execFileSync('chmod', ['4751', at('folder', 'program')]);
      execFileSync('chmod', ['0555', at('folder', 'empty')]);
    }

    test('arrive as they were, and what cannot travel is named', async () => {
      fill(one.home);
      const sent = await run(one.id, 'export', nothingThere);
      await run(other.id, 'import', sent);
      const [before, after] = [await look(one), await look(other)];
      expect(after.digest).toBe(before.digest);
      const skipped = ['folder/pipe', ...(canMakeDevices ? ['null'] : [])];
      expect(before.skipped).toEqual({ count: skipped.length, names: skipped });
      expect(after.skipped).toEqual({ count: 0, names: [] });
      expect(after).toMatchObject({ bytes: before.bytes, files: before.files });
      expect(sent.length).toBeLessThan(4_000_000);
      expect(statSync(path.join(other.home, 'holes')).blocks * 512).toBeLessThan(1_000_000);
      expect(statSync(path.join(other.home, 'folder', 'program'))).toMatchObject({ mode: 0o104751, nlink: 2 });
    });

    test('cost what has changed when they are sent again', async () => {
      fill(one.home);
      await run(other.id, 'import', await difference());
      writeFileSync(path.join(one.home, 'folder', 'program'), 'another');
      rmSync(path.join(one.home, 'absolute'));
      writeFileSync(path.join(one.home, 'new'), 'new');
      own(one.home);
      const changes = await difference();
      expect(changes.length).toBeLessThan(300_000);
      await run(other.id, 'import', changes);
      expect((await look(other)).digest).toBe((await look(one)).digest);
    });

    test('are not taken for whole when their import was cut off, and the next one mends them', async () => {
      fill(one.home);
      const sent = await run(one.id, 'export', nothingThere);
      const answer = await started(other.id, 'import', async program => {
        await program.write(sent.subarray(0, Math.floor(sent.length / 2)));
        await program.end();
        const parts: Uint8Array[] = [];
        try {
          for await (const part of program.output) parts.push(part);
        } catch {
          // That it was cut off may be told either way.
        }
        return Buffer.concat(parts).toString();
      });
      expect(answer).toBe('');
      const whole = (await look(one)).digest;
      expect((await look(other)).digest).not.toBe(whole);
      await run(other.id, 'import', await difference());
      expect((await look(other)).digest).toBe(whole);
    });
  });
}
