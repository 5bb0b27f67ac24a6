import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import type { LoneProvider } from '../fakes/loneProvider.ts';
import { notHere } from '../fakes/notHere.ts';
import { machineProblem } from './support/flyCloud.ts';
import { type FlyScene, openFlyScene } from './support/flyScene.ts';

describe.skipIf(machineProblem() !== undefined)(notHere('a terminal in a machine', machineProblem()), () => {
  let scene: FlyScene;
  let provider: LoneProvider;
  let id: string;

  beforeAll(async () => {
    scene = await openFlyScene();
    provider = scene.makeProvider();
    await provider.initialize();
    ({ id } = await provider.createInstance(newSpec(testSwarmId())));
  });
  afterAll(() => scene?.close());

  async function opened() {
    const spec = await provider.abilities.terminal?.(id);
    if (spec?.kind !== 'stream') throw new Error('no terminal');
    const terminal = await spec.open({ columns: 91, rows: 31 });
    let shown = '';
    const exits: (number | undefined)[] = [];
    terminal.onData(text => {
      shown += text;
    });
    terminal.onExit(code => exits.push(code));
    const shows = (text: string) => vi.waitFor(() => expect(shown).toContain(text), 5_000);
    return { terminal, exits, shows };
  }
  const running = async (name: string) =>
    Number((await provider.executeCommand(id, `pgrep -cf '^${name}' || true`)).stdout);

  test('has its size, also after it has changed, and tells how its shell ended', async () => {
    const { terminal, exits, shows } = await opened();
    terminal.write('stty size\n');
    await shows('31 91');
    terminal.resize({ columns: 73, rows: 17 });
    terminal.write('until [ "$(stty size)" = "17 73" ]; do sleep 0.1; done; echo it "is" so\n');
    await shows('it is so');
    terminal.write('exit 7\n');
    await vi.waitFor(() => expect(exits).toEqual([7]), 5_000);
    terminal.dispose();
  });

  test('ends with all that it started, and says when its connection was lost', async () => {
    const first = await opened();
    first.terminal.write('sleep 4711 & sleep 4711\n');
    await vi.waitFor(async () => expect(await running('sleep 4711')).toBe(2), 5_000);
    first.terminal.dispose();
    await vi.waitFor(async () => expect(await running('sleep 4711')).toBe(0), 5_000);
    const second = await opened();
    await provider.stopInstance(id);
    await vi.waitFor(() => expect(second.exits).toEqual([undefined]), 5_000);
  });
});
